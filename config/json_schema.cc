#include "config/json_schema.h"

#include <string_view>
#include <vector>

#include "config/device.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json.h"
#include "pipelines/plan/plan.h"

namespace runnel {
namespace {

constexpr std::string_view kHead =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":";

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

std::string Words(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) {
    text += (text.size() > 1 ? "," : "") + Quoted(word);
    // An editor takes it for a number where it stands without quotes.
    const bool number = word.find_first_not_of("0123456789") == std::string::npos;
    if (number && word.size() < 10) text += "," + word;
  }
  return text + "]";
}

std::string ObjectOf(const std::vector<OptionDoc>& options);
std::string OptionSchema(const OptionDoc& option);

// A map of options, or the value of the one that may stand alone.
std::string OptionsOrShort(const std::vector<OptionDoc>& options) {
  std::string schema = ObjectOf(options);
  for (const OptionDoc& option : options) {
    if (option.shorthand) schema = "{\"anyOf\":[" + schema + "," + OptionSchema(option) + "]}";
  }
  return schema;
}

// What a value of the type may be; `words` are allowed beside it.
std::string TypeSchema(std::string_view type, const OptionDoc& option) {
  if (type.starts_with("list of ")) {
    const std::string item = TypeSchema(type.substr(8), option);
    const std::string list = "{\"type\":\"array\",\"items\":" + item + "}";
    return option.or_single ? "{\"anyOf\":[" + list + "," + item + "]}" : list;
  }
  if (type.starts_with("map of ")) {
    return "{\"type\":\"object\",\"additionalProperties\":" + TypeSchema(type.substr(7), option) +
           "}";
  }
  // Variables are text where they stand: ${VAR} may give anything.
  const std::string variable = "{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}";
  std::string schema;
  if (type == "options") return OptionsOrShort(option.nested);
  if (type == "any") return "{}";
  if (type.starts_with("boolean")) {
    schema = "{\"type\":\"boolean\"}";
  } else if (type.starts_with("integer")) {
    schema = "{\"type\":\"integer\"}";
  } else if (type.starts_with("number")) {
    schema = "{\"type\":\"number\"}";
  } else if (type.starts_with("duration")) {
    return "{\"type\":\"string\",\"pattern\":\"^([0-9]+(us|ms|s|m|h|d))+$|\\\\$\\\\{\"}";
  } else if (type.starts_with("size")) {
    return "{\"type\":[\"string\",\"integer\"]}";
  } else if (type.starts_with("one of ")) {
    return "{\"anyOf\":[{\"enum\":" + Words(option.choices) + "}," + variable + "]}";
  } else {
    // Text that looks like a number or a truth is one to an editor.
    return "{\"type\":[\"string\",\"number\",\"boolean\"]}";
  }
  if (!option.choices.empty()) schema += ",{\"enum\":" + Words(option.choices) + "}";
  return "{\"anyOf\":[" + schema + "," + variable + "]}";
}

std::string OptionSchema(const OptionDoc& option) {
  std::string schema = TypeSchema(option.type, option);
  std::string description = option.description;
  if (!option.default_text.empty()) description += " Default: " + option.default_text + ".";
  if (!option.range.empty()) description += " Range: " + option.range + ".";
  schema.pop_back();
  if (schema.size() > 1) schema += ",";
  schema += "\"description\":" + Quoted(description);
  if (!option.example.empty()) schema += ",\"examples\":[" + Quoted(option.example) + "]";
  return schema + "}";
}

std::string ObjectOf(const std::vector<OptionDoc>& options) {
  if (options.size() == 1 && options[0].name.empty()) {
    return TypeSchema(options[0].type, options[0]);
  }
  std::string properties;
  std::vector<std::string> required;
  for (const OptionDoc& option : options) {
    properties +=
        (properties.empty() ? "" : ",") + Quoted(option.name) + ":" + OptionSchema(option);
    if (option.required) required.push_back(option.name);
  }
  std::string schema =
      "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" + properties + "}";
  if (!required.empty()) schema += ",\"required\":" + Words(required);
  return schema + "}";
}

// `{name: options}` of one of several.
std::string OneOfNamed(const std::vector<std::pair<std::string, std::string>>& named) {
  std::string properties;
  for (const auto& [name, schema] : named) {
    properties += (properties.empty() ? "" : ",") + Quoted(name) + ":" + schema;
  }
  return "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,"
         "\"additionalProperties\":false,\"properties\":{" +
         properties + "}}";
}

std::string WithDescription(std::string schema, std::string_view description) {
  schema.pop_back();
  if (schema.size() > 1) schema += ",";
  return schema + "\"description\":" + Quoted(description) + "}";
}

std::string Steps(const Registry& registry) {
  std::vector<std::pair<std::string, std::string>> operators;
  for (const std::string_view name : registry.OperatorNames()) {
    const OperatorSpec& spec = *registry.FindOperator(name);
    operators.emplace_back(name, WithDescription(ObjectOf(spec.options()), spec.description));
  }
  return "{\"type\":\"array\",\"items\":" + OneOfNamed(operators) + "}";
}

std::string CodecSchema() {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::string>> with_options;
  for (const Codec& codec : Codecs()) {
    names.emplace_back(codec.name);
    const std::string schema =
        codec.options == nullptr ? "{\"type\":\"null\"}" : ObjectOf(codec.options());
    with_options.emplace_back(codec.name, WithDescription(schema, codec.description));
  }
  return "{\"anyOf\":[{\"enum\":" + Words(names) + "}," + OneOfNamed(with_options) + "]}";
}

}  // namespace

std::string PipelineSchema(const Registry& registry) {
  const std::string sink = OneOfNamed(
      {{"mqtt", WithDescription(ObjectOf(DescribeMqttSink()), "Results to an MQTT broker.")}});
  std::string properties;
  std::vector<std::string> required;
  for (const OptionDoc& option : DescribePipeline()) {
    std::string schema = TypeSchema(option.type, option);
    if (option.name == "source") {
      schema = OneOfNamed({{"mqtt", WithDescription(ObjectOf(DescribeMqttSource()),
                                                    "Messages of an MQTT broker.")}});
    } else if (option.name == "sink" || option.name == "late") {
      schema = sink;
    } else if (option.name == "sinks") {
      schema = "{\"type\":\"object\",\"additionalProperties\":" + sink + "}";
    } else if (option.name == "steps") {
      schema = Steps(registry);
    } else if (option.name == "decode" || option.name == "encode") {
      schema = CodecSchema();
    } else if (option.name == "tests") {
      schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}";
    } else if (option.name == "timestamp") {
      schema = "{\"anyOf\":[" + schema + ",{\"type\":\"string\"}]}";
    }
    schema = WithDescription(schema, option.description);
    properties += (properties.empty() ? "" : ",") + Quoted(option.name) + ":" + schema;
    if (option.required) required.push_back(option.name);
  }
  return std::string(kHead) +
         "\"runnel pipeline\",\"type\":\"object\",\"additionalProperties\":false," +
         "\"properties\":{" + properties + "},\"required\":" + Words(required) + "}\n";
}

std::string DeviceSchema() {
  std::string schema = ObjectOf(Describe<DeviceConfig>());
  return std::string(kHead) + "\"runnel.yaml\"," + schema.substr(1) + "\n";
}

}  // namespace runnel
