#include "config/reference.h"

#include <algorithm>

#include "config/cases.h"
#include "config/device.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/macros.h"
#include "pipelines/plan/plan.h"

namespace runnel {
namespace {

constexpr std::string_view kValues = R"(
### Values

- A duration has a whole number and a unit, `us`, `ms`, `s`, `m`, `h` or `d`, or several from large to small:
  `250ms`, `1h30m`.
- A size has one of `B`, `KiB`, `MiB` and `GiB`: `64KiB`.
- A pipeline's name has up to 63 of `a-z`, `0-9` and `-`; a broker's may have `_` too.
- `${NAME}` is a variable of the environment, `${NAME:-text}` one with a default, `${NAME:?text}` one that must be
  there; `$$` is a dollar. In runnel.yaml `${cred:NAME}` is a credential of systemd.
- Text in `{ }` or `[ ]` with a comma, a colon or a brace of its own needs quotes, as does text that begins with `!`,
  `*`, `&`, `%` or `@`: `set: { on: "v > 1 ? 1 : 0" }`.
)";

// One thing that a pipeline is made of.
struct Entry {
  std::string_view kind;
  std::string name;
  std::string summary;
  std::string text;  // Markdown
};

void AppendOptions(const std::vector<OptionDoc>& options, int depth, std::string& out) {
  for (const OptionDoc& option : options) {
    const std::string blanks(static_cast<std::size_t>(2 * depth), ' ');
    std::string line = blanks + "- ";
    line += option.name.empty() ? "the value" : "`" + option.name + "`";
    line += " (" + option.type;
    if (option.required && !option.name.empty()) line += ", required";
    if (!option.default_text.empty()) line += ", default `" + option.default_text + "`";
    if (!option.range.empty()) line += ", " + option.range;
    line += "): " + option.description;
    if (option.shorthand) line += " May stand alone.";
    if (!option.example.empty()) line += " Example: `" + option.example + "`.";
    out += line + "\n";
    AppendOptions(option.nested, depth + 1, out);
  }
}

std::string OperatorText(const OperatorSpec& spec) {
  std::string text = std::string(spec.description) + "\n\n";
  AppendOptions(spec.options(), 0, text);
  text.append("\n```yaml\n").append(spec.example).append("```\n");
  for (const std::string_view example : spec.more_examples) {
    text.append("\n```yaml\n").append(example).append("```\n");
  }
  return text;
}

std::string AggregateText(const AggregateSpec& spec) {
  std::string text("`");
  text.append(spec.signature).append("`. ").append(spec.description);
  text.append("\n\n- cost: ").append(spec.cost);
  text.append("\n- merging: ").append(AlgebraName(spec.algebra));
  text.append("\n- example: `").append(spec.example).append("` of `").append(spec.example_records);
  return text.append("` is `").append(spec.example_result).append("`\n");
}

std::string CodecText(const Codec& codec) {
  std::string text = std::string(codec.description) + "\n\n";
  if (codec.options != nullptr) {
    AppendOptions(codec.options(), 0, text);
    text += "\n";
  }
  text += "```text\n" + std::string(codec.payload);
  if (!codec.payload.ends_with('\n')) text += "\n";
  return text + "```\n\nis `" + std::string(codec.records) + "`\n";
}

std::string ExampleText(std::string_view function) {
  for (const FunctionExample& example : FunctionExamples()) {
    if (example.function != function) continue;
    return " `" + std::string(example.expression) + "` is `" + std::string(example.result) + "`.";
  }
  return {};
}

std::vector<Entry> Entries(const Registry& registry) {
  std::vector<Entry> entries;
  for (const std::string_view name : registry.OperatorNames()) {
    const OperatorSpec& spec = *registry.FindOperator(name);
    entries.push_back(
        {"operators", std::string(name), std::string(spec.description), OperatorText(spec)});
  }
  for (const std::string_view name : registry.AggregateNames()) {
    const AggregateSpec& spec = *registry.FindAggregate(name);
    entries.push_back(
        {"aggregates", std::string(name), std::string(spec.description), AggregateText(spec)});
  }
  for (const Codec& codec : Codecs()) {
    entries.push_back(
        {"codecs", std::string(codec.name), std::string(codec.description), CodecText(codec)});
  }
  const auto add_function = [&](std::string_view name, std::string_view signature,
                                std::string_view description) {
    entries.push_back({"functions", std::string(name), std::string(description),
                       "`" + std::string(signature) + "`: " + std::string(description) +
                           ExampleText(name) + "\n"});
  };
  for (const expr::Function* function : expr::Functions()) {
    add_function(function->name, function->signature, function->description);
  }
  for (const expr::Macro& macro : expr::kMacros) {
    add_function(macro.name, macro.signature, macro.description);
  }
  add_function("has", "has(record.field)", "Whether a field is there.");
  return entries;
}

bool IsWanted(const Entry& entry, std::string_view kind) {
  return kind.empty() || entry.kind == kind;
}

void AppendKind(const std::vector<Entry>& entries, std::string_view kind, std::string_view title,
                std::string& out) {
  out += "\n## " + std::string(title) + "\n";
  if (kind == "functions") {
    out +=
        "\nThe examples are over the record `{\"temp\": 21.5, \"device\": \"a-17\", \"values\": "
        "[3, 1, 2], \"counts\": {\"a\": 1, \"b\": 2}}`, which came by the topic "
        "`sensors/a-17/climate`.\n\n";
  }
  for (const Entry& entry : entries) {
    if (entry.kind != kind) continue;
    if (kind == "functions") {
      out += "- " + entry.text;
    } else {
      out += "\n### " + entry.name + "\n\n" + entry.text;
    }
  }
}

}  // namespace

std::span<const FunctionExample> FunctionExamples() {
  static constexpr FunctionExample kExamples[] = {
#define EXAMPLE(function, expression, result) {function, expression, result},
#include "config/function_examples.def"
#undef EXAMPLE
  };
  return kExamples;
}

const std::vector<std::string_view>& ListKinds() {
  static const std::vector<std::string_view> kinds = {"operators", "aggregates", "codecs",
                                                      "functions"};
  return kinds;
}

std::string ReferenceText(const Registry& registry) {
  const std::vector<Entry> entries = Entries(registry);
  std::string text =
      "# Reference\n\nPrinted by `runnel reference`, from the declarations in the code.\n"
      "\n## Pipeline files\n\n";
  AppendOptions(DescribePipeline(), 0, text);
  text += "\n### source: mqtt\n\n";
  AppendOptions(DescribeMqttSource(), 0, text);
  text += "\n### sink: mqtt\n\nAlso of `late` and of each of `sinks`.\n\n";
  AppendOptions(DescribeMqttSink(), 0, text);
  text += "\n### tests\n\nEach has messages and what must come of them; time is simulated.\n\n";
  AppendOptions(DescribeTest(), 0, text);
  text += kValues;
  text += "\n## runnel.yaml\n\n";
  AppendOptions(Describe<DeviceConfig>(), 0, text);
  AppendKind(entries, "operators", "Operators", text);
  AppendKind(entries, "aggregates", "Aggregates", text);
  AppendKind(entries, "codecs", "Codecs", text);
  AppendKind(entries, "functions", "Functions", text);
  return text;
}

std::string ListText(const Registry& registry, std::string_view kind) {
  std::string text;
  std::string_view last;
  for (const Entry& entry : Entries(registry)) {
    if (!IsWanted(entry, kind)) continue;
    if (kind.empty() && entry.kind != last) {
      text += (text.empty() ? "" : "\n") + std::string(entry.kind) + "\n";
    }
    last = entry.kind;
    const std::size_t pad = entry.name.size() < 20 ? 20 - entry.name.size() : 1;
    text += "  " + entry.name + std::string(pad, ' ') +
            entry.summary.substr(0, entry.summary.find(". ")) + "\n";
  }
  return text;
}

std::string ListJson(const Registry& registry, std::string_view kind) {
  std::string text = "[";
  for (const Entry& entry : Entries(registry)) {
    if (!IsWanted(entry, kind)) continue;
    text += text.size() > 1 ? ",\n " : "";
    text += "{\"kind\":";
    AppendJsonString(entry.kind, text);
    text += ",\"name\":";
    AppendJsonString(entry.name, text);
    text += ",\"description\":";
    AppendJsonString(entry.summary, text);
    text += "}";
  }
  return text + "]\n";
}

std::string DescribeText(const Registry& registry, std::string_view name) {
  std::string text;
  for (const Entry& entry : Entries(registry)) {
    if (entry.name != name) continue;
    const std::string_view kind = entry.kind.substr(0, entry.kind.size() - 1);
    text +=
        (text.empty() ? "" : "\n") + entry.name + " (" + std::string(kind) + ")\n\n" + entry.text;
  }
  return text;
}

std::vector<std::string> AllNames(const Registry& registry) {
  std::vector<std::string> names;
  for (const Entry& entry : Entries(registry)) names.push_back(entry.name);
  return names;
}

}  // namespace runnel
