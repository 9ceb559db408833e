#include "daemon/batch/prepare.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "config/file.h"
#include "daemon/batch/places.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/plan/endpoints.h"

namespace runnel {
namespace {

constexpr std::size_t kPipelineBytesMax = 1 << 20;

Node Text(const std::string& text) { return Node::Scalar(text, true, {}); }

Node Named(const std::string& name, Node options) {
  Node node;
  node.kind = Node::Kind::kMap;
  node.members.push_back({name, {}, std::move(options)});
  return node;
}

void Set(Node& map, const std::string& key, Node value) {
  for (Node::Member& member : map.members) {
    if (member.key != key) continue;
    member.value = std::move(value);
    return;
  }
  map.members.push_back({key, {}, std::move(value)});
}

// The options of a codec in the file where it is that codec, else none.
Node OptionsOf(const Node* node, std::string_view name) {
  if (node != nullptr && node->IsMap() && FormatName(*node) == name) return node->members[0].value;
  Node none;
  none.kind = Node::Kind::kMap;
  return none;
}

std::string InputFormat(const BatchOptions& options, const std::vector<InputFile>& inputs,
                        const Node& root, std::string& problem) {
  if (!options.input_format.empty()) return options.input_format;
  std::string format;
  for (const InputFile& input : inputs) {
    const std::string one = FormatOfName(input.path);
    if (!format.empty() && !one.empty() && one != format) {
      problem = "`" + input.path + "` is " + one + " and others are " + format +
                "\n  hint: run them one after the other, or say `--input-format`";
    }
    if (format.empty()) format = one;
  }
  const Node* decode = root.Find("decode");
  const std::string own(decode == nullptr ? "json" : FormatName(*decode));
  if (format.empty()) return own == "json" ? "ndjson" : own;
  // A name says less than the pipeline does.
  return format == "ndjson" && own != "csv" && own != "line" ? own : format;
}

std::string OutputFormat(const BatchOptions& options, const Node& root) {
  if (!options.format.empty()) return options.format;
  if (const std::string named = FormatOfName(options.output); !named.empty()) return named;
  const Node* encode = root.Find("encode");
  const std::string own(encode == nullptr ? "json" : FormatName(*encode));
  return own == "json" ? "ndjson" : own;
}

bool IsLines(const std::string& format) {
  return format == "json" || format == "ndjson" || format == "csv" || format == "line" ||
         format == "raw" || format == "senml";
}

bool IsTsv(const InputFile& file) { return IsTsvByName(file.path); }

void SetFormats(const std::string& input, const std::string& output, const BatchOptions& options,
                const std::vector<InputFile>& inputs, const std::string& name, Node& root) {
  Node decode = OptionsOf(root.Find("decode"), input);
  if (input == "csv" && decode.Find("delimiter") == nullptr &&
      std::any_of(inputs.begin(), inputs.end(), IsTsv)) {
    Set(decode, "delimiter", Text("tab"));
  }
  // A line has one object.
  Set(root, "decode",
      decode.members.empty() ? Text(input == "ndjson" ? "json" : input) : Named(input, decode));
  Node encode = OptionsOf(root.Find("encode"), output);
  if (output == "line" && encode.Find("measurement") == nullptr) {
    Set(encode, "measurement", Text(name));
  }
  if (output == "csv") Set(encode, "header", Node::Scalar("false", false, {}));
  if (output == "csv" && options.output.ends_with(".tsv")) Set(encode, "delimiter", Text("tab"));
  Set(root, "encode", encode.members.empty() ? Text(output) : Named(output, encode));
}

bool CompileWith(Prepared& prepared, const Registry& registry, Diagnostics& diagnostics) {
  prepared.plan = CompileBatch(prepared.spec, registry, diagnostics);
  return prepared.plan != nullptr;
}

void SetColumnsOf(const std::vector<std::string>& columns, Node& root) {
  Node list;
  list.kind = Node::Kind::kSequence;
  for (const std::string& column : columns) list.items.push_back(Text(column));
  Node options = OptionsOf(root.Find("encode"), "csv");
  Set(options, "columns", std::move(list));
  Set(root, "encode", Named("csv", std::move(options)));
}

// Of formats `input` and `output`: why not; empty: nothing speaks against them.
std::string WrongFormat(const BatchOptions& options, const std::vector<InputFile>& inputs,
                        const std::string& input, const std::string& output) {
  for (const InputFile& file : inputs) {
    const std::string foreign(ForeignFormatOfName(file.path));
    if (!options.input_format.empty() || foreign.empty()) continue;
    return "`" + file.path + "` is " + foreign +
           ", and no text with a record a line\n  hint: make csv, ndjson or line of it; "
           "where it is that already, `--input-format` says so";
  }
  const std::string foreign(ForeignFormatOfName(options.output));
  if (options.format.empty() && !foreign.empty()) {
    return "`" + options.output + "`: " + foreign + " cannot be written, only csv, ndjson and line";
  }
  if (!IsLines(input)) return "`" + input + "` is no format of files with a record a line";
  if (!IsLines(output) || output == "senml" || output == "raw") {
    return "`" + output + "` is no format for a file\n  hint: `--format csv`, ndjson or line";
  }
  return {};
}

// The same of CSV files, where the pipeline has no delimiter for all of them.
std::string MixedDelimiters(const std::vector<InputFile>& inputs) {
  const auto tabs = std::find_if(inputs.begin(), inputs.end(), IsTsv);
  const auto commas = std::find_if(inputs.begin(), inputs.end(), [](const InputFile& file) {
    return FormatOfName(file.path) == "csv" && !IsTsv(file);
  });
  if (tabs == inputs.end() || commas == inputs.end()) return {};
  return "`" + tabs->path + "` is tsv and `" + commas->path +
         "` is csv\n  hint: run them one after the other, or say which delimiter both have, "
         "`decode: { csv: { delimiter: tab } }`";
}

// The same of a topic that all rows are to have, under the filter of the source.
std::string WrongTopic(const std::string& topic, const std::string& filter) {
  if (topic.find_first_of("+#") != std::string::npos) {
    return "`--topic " + topic +
           "` has a wildcard, and messages come with a topic\n"
           "  hint: one as a device would send, `sensors/d-7/climate`";
  }
  if (topic.empty() || filter.empty() || TopicMatches(filter, topic)) return {};
  return "`--topic " + topic + "` does not match the topic of the source, `" + filter +
         "`: no such message would come";
}

std::optional<PipelineFile> ReadFileOf(const BatchOptions& options, Diagnostics& diagnostics,
                                       std::string& problem) {
  Result<std::string> text = ReadWholeFile(options.pipeline, kPipelineBytesMax);
  if (!text.ok()) {
    problem = "`" + options.pipeline + "`: " + text.error().message;
    return std::nullopt;
  }
  const Environment environment =
      SystemdEnvironment([](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      });
  return ReadPipeline(text.value(), options.pipeline, environment, {}, diagnostics);
}

}  // namespace

std::string HeaderLine(const Prepared& prepared) {
  if (prepared.columns.empty() || !prepared.writes_header) return {};
  const CsvDialect& dialect = prepared.plan->dialect;
  const char special[] = {dialect.delimiter, dialect.quote, '\r', '\n', '\0'};
  std::string line;
  for (std::size_t i = 0; i < prepared.columns.size(); ++i) {
    const std::string& column = prepared.columns[i];
    if (i > 0) line += dialect.delimiter;
    if (column.find_first_of(special) == std::string::npos) {
      line += column;
      continue;
    }
    line += dialect.quote;
    for (const char c : column) line += std::string(c == dialect.quote ? 2 : 1, c);
    line += dialect.quote;
  }
  return line + '\n';
}

bool SetColumns(Prepared& prepared, const std::vector<std::string>& fields,
                const Registry& registry, Diagnostics& diagnostics) {
  const CompiledPlan& plan = prepared.plan->plan();
  std::vector<std::string> columns = prepared.plan->ResultFields();
  for (const std::string& field : fields) {
    if (std::find(columns.begin(), columns.end(), field) == columns.end()) columns.push_back(field);
  }
  // What later steps set is in the table of the last ones.
  const FieldTable& last = *plan.tables.back();
  const auto may_be_partial = [&](const CompiledStep& step) {
    const WindowPlan* window = step.op->Window();
    return window != nullptr && !window->stays_open;
  };
  const std::vector<CompiledStep>& steps = plan.steps;
  const bool is_partial_possible =
      prepared.plan->sorts_results() && std::any_of(steps.begin(), steps.end(), may_be_partial);
  for (std::uint16_t i = 0; i < last.size(); ++i) {
    const std::string name(last.name(i));
    if (prepared.plan->way == BatchWay::kRows || (name == "partial" && !is_partial_possible))
      continue;
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  }
  // A list that they take apart, and a capture that no output has, is there only where it was seen
  // in a row, or is set,
  std::vector<std::string> hidden = prepared.plan->ListsTakenApart();
  if (plan.whole_record) hidden.insert(hidden.end(), plan.captures.begin(), plan.captures.end());
  for (const std::string& name : hidden) {
    const bool is_set = std::any_of(steps.begin(), steps.end(), [&](const CompiledStep& step) {
      return std::find(step.sets.begin(), step.sets.end(), name) != step.sets.end();
    });
    if (is_set || std::find(fields.begin(), fields.end(), name) != fields.end()) continue;
    std::erase(columns, name);
  }
  // and what they take away is not.
  if (const auto& only = plan.result_fields;
      only.has_value() && prepared.plan->way != BatchWay::kRows) {
    std::erase_if(columns, [&](const std::string& column) {
      return std::find(only->begin(), only->end(), column) == only->end();
    });
  }
  prepared.columns = columns;
  prepared.needs_columns = false;
  SetColumnsOf(columns, prepared.spec.pipeline);
  prepared.spec.columns_are_seen = true;
  return CompileWith(prepared, registry, diagnostics);
}

std::optional<Prepared> Prepare(const BatchOptions& options, const Registry& registry,
                                Diagnostics& diagnostics, std::string& problem) {
  std::optional<PipelineFile> file = ReadFileOf(options, diagnostics, problem);
  if (!file.has_value() || diagnostics.errors() > 0) return std::nullopt;
  Result<std::vector<InputFile>> inputs = ListInputs(options.inputs);
  problem = inputs.ok() ? WrongPlace(options, inputs.value()) : inputs.error().message;
  if (!problem.empty()) return std::nullopt;
  Prepared prepared;
  prepared.inputs = std::move(inputs).value();
  Node& root = prepared.spec.pipeline = file->root;
  const std::string input = InputFormat(options, prepared.inputs, root, problem);
  const std::string output = OutputFormat(options, root);
  if (problem.empty()) problem = WrongFormat(options, prepared.inputs, input, output);
  if (problem.empty() && input == "csv" &&
      OptionsOf(root.Find("decode"), input).Find("delimiter") == nullptr) {
    problem = MixedDelimiters(prepared.inputs);
  }
  if (!problem.empty()) return std::nullopt;
  const Node encode = OptionsOf(root.Find("encode"), output);
  const Node* header = encode.Find("header");
  prepared.writes_header = output == "csv" && (header == nullptr || header->text != "false");
  SetFormats(input, output, options, prepared.inputs, file->name, root);
  prepared.spec.name = file->name;
  prepared.spec.origin = {SourceTopicOf(root), options.topic, options.topic_column};
  problem = WrongTopic(options.topic, prepared.spec.origin.filter);
  if (!problem.empty()) return std::nullopt;
  prepared.spec.lateness = options.as_stream ? Lateness::kAsStream : Lateness::kNever;
  if (!CompileWith(prepared, registry, diagnostics)) return std::nullopt;
  prepared.chunks.bytes = options.chunk_bytes;
  if (prepared.plan->csv.has_value()) {
    prepared.chunks.quote = prepared.plan->csv->dialect.quote;
    prepared.chunks.header = prepared.plan->csv->has_header;
  }
  if (output != "csv") return prepared;
  prepared.columns = prepared.plan->columns;
  prepared.needs_columns = prepared.columns.empty();
  return prepared;
}

std::unique_ptr<const BatchPlan> PlanForFiles(const PipelineFile& file, const Registry& registry,
                                              Diagnostics& diagnostics) {
  BatchSpec spec;
  spec.name = file.name;
  spec.pipeline = file.root;
  spec.origin.filter = SourceTopicOf(file.root);
  return CompileBatch(spec, registry, diagnostics);
}

}  // namespace runnel
