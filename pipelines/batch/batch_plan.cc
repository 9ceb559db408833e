#include "pipelines/batch/batch_plan.h"

#include <algorithm>
#include <utility>

#include "pipelines/batch/sorted_format.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/plan/endpoints.h"

namespace runnel {
namespace {

Node Text(std::string text) { return Node::Scalar(std::move(text), true, {}); }

Node MapOf(const std::string& key, Node value) {
  Node node;
  node.kind = Node::Kind::kMap;
  node.members.push_back({key, value.position, std::move(value)});
  return node;
}

void SetMember(Node& map, const std::string& key, Node value) {
  for (Node::Member& member : map.members) {
    if (member.key == key) {
      member.value = std::move(value);
      return;
    }
  }
  map.members.push_back({key, map.position, std::move(value)});
}

void RemoveMember(Node& map, std::string_view key) {
  std::erase_if(map.members, [&](const Node::Member& member) { return member.key == key; });
}

// Files take the place of source and sink. Without captures of a topic the planner cuts
// the pipeline in front of the first step with a key, if there is more than one partition;
// with one, rows come as messages do, and their topic has captures.
Node ForFiles(const BatchSpec& spec, std::uint32_t partitions) {
  Node root = spec.pipeline;
  if (!root.IsMap()) root.kind = Node::Kind::kMap;
  const bool has_topic = !spec.origin.topic.empty() || spec.origin.column.has_value();
  const bool keeps_topic = partitions == 1 && has_topic && !spec.origin.filter.empty();
  SetMember(root, "source",
            MapOf("mqtt", MapOf("topic", Text(keeps_topic ? spec.origin.filter : "#"))));
  SetMember(root, "sink", MapOf("mqtt", MapOf("topic", Text("batch"))));
  RemoveMember(root, "late");
  RemoveMember(root, "tests");
  const Node* sinks = spec.pipeline.Find("sinks");
  if (sinks != nullptr && sinks->IsMap()) {
    Node all = *sinks;
    for (Node::Member& member : all.members) {
      member.value = MapOf("mqtt", MapOf("topic", Text("batch")));
    }
    SetMember(root, "sinks", std::move(all));
  }
  SetMember(root, "partitions", Node::Scalar(std::to_string(partitions), false, {}));
  // A schema that leaves the captures to the topic.
  if (const Node* schema = root.Find("schema"); schema != nullptr && schema->IsMap()) {
    Node with_captures = *schema;
    for (const Capture& capture : CapturesOf(spec.origin.filter)) {
      if (schema->Find(capture.name) == nullptr) {
        with_captures.members.push_back({capture.name, {}, Text("string")});
      }
    }
    SetMember(root, "schema", std::move(with_captures));
  }
  return root;
}

bool IsStateless(const Operator& op) {
  return !op.Key().has_value() && !op.ProducesRecords() && op.StateMark().empty();
}

bool NeedsTime(const WindowPlan& window) {
  return window.kind == WindowKind::kGrid || window.kind == WindowKind::kSession ||
         window.kind == WindowKind::kSliding;
}

const Position& PlaceOfStep(const Node& root, std::size_t step) {
  const Node* steps = root.Find("steps");
  if (steps == nullptr || step >= steps->items.size()) return root.position;
  const Node& item = steps->items[step];
  return item.members.empty() ? item.position : item.members[0].position;
}

// Why the first step with a key cannot be done in chunks; empty where it can.
std::string WhyNotInChunks(const CompiledPlan& plan, std::size_t step) {
  const WindowPlan* window = plan.steps[step].op->Window();
  const std::string& label = plan.steps[step].label;
  if (window == nullptr) return "`" + label + "` looks at a key's rows in their order";
  if (window->kind != WindowKind::kGrid) {
    return "`" + label + "` is neither tumbling nor hopping: its windows follow the rows";
  }
  if (window->fill > 0) return "`fill` of `" + label + "` looks at a key's windows in a row";
  for (const AggregateColumn& column : window->columns) {
    if (column.algebra == Algebra::kOrdered) {
      return "`" + column.text + "` depends on the order of the rows";
    }
  }
  for (std::size_t i = step + 1; i < plan.steps.size(); ++i) {
    if (!IsStateless(*plan.steps[i].op)) {
      return "`" + plan.steps[i].label + "` behind the window has a state of its own";
    }
  }
  return {};
}

void DecideWay(const CompiledPlan& plan, BatchPlan& batch) {
  if (batch.lateness == Lateness::kAsStream) {
    batch.way = BatchWay::kInOrder;
    batch.why = "`--as-stream`: lateness depends on what came before";
    return;
  }
  std::size_t first = 0;
  while (first < plan.steps.size() && IsStateless(*plan.steps[first].op)) ++first;
  if (first == plan.steps.size()) {
    batch.way = BatchWay::kRows;
    batch.why = "no step remembers anything: each row for itself, in the order of the input";
    return;
  }
  batch.window_step = first;
  const std::string why_not = WhyNotInChunks(plan, first);
  if (why_not.empty()) {
    batch.way = BatchWay::kGroups;
    batch.why = "all aggregates merge: each chunk is grouped alone";
    return;
  }
  batch.why = why_not;
  batch.way =
      plan.stages() == 2 && plan.FirstStep(1) == first ? BatchWay::kPartitions : BatchWay::kInOrder;
  if (batch.way == BatchWay::kPartitions && plan.steps[first].op->ProducesRecords() &&
      plan.steps[first].op->Window() == nullptr) {
    batch.way = BatchWay::kInOrder;
  }
  if (batch.way == BatchWay::kPartitions) return;
  if (plan.stages() > 2) batch.why += "; several steps have keys of their own";
}

bool CheckTimes(const CompiledPlan& plan, const Node& root, Diagnostics& diagnostics) {
  bool ok = true;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const WindowPlan* window = plan.steps[i].op->Window();
    if (window == nullptr || window->event_time || !NeedsTime(*window)) continue;
    diagnostics.Error(PlaceOfStep(root, i),
                      "a window over time needs `timestamp:` here: rows of files have no arrival",
                      "name the field with the time: `timestamp: ts`");
    ok = false;
  }
  return ok;
}

// Nobody has it yet: its format is still to be wrapped.
std::unique_ptr<CompiledPlan> Compile(const Node& root, const BatchSpec& spec,
                                      const Registry& registry, const PlanLimits& limits,
                                      Diagnostics& diagnostics) {
  std::unique_ptr<const Plan> plan = CompilePlan(root, spec.name, registry, limits, diagnostics);
  return std::unique_ptr<CompiledPlan>(
      const_cast<CompiledPlan*>(static_cast<const CompiledPlan*>(plan.release())));
}

}  // namespace

std::string BatchSpec::Encode() const {
  ByteWriter writer;
  writer.String(name);
  writer.String(pipeline.Encode());
  writer.String(origin.filter);
  writer.String(origin.topic);
  writer.U8(origin.column.has_value() ? 1 : 0);
  writer.String(origin.column.value_or(""));
  writer.U8(static_cast<std::uint8_t>(lateness));
  writer.U64(record_max);
  writer.U8(columns_are_seen ? 1 : 0);
  return writer.Take();
}

Result<BatchSpec> BatchSpec::Decode(std::string_view bytes) {
  ByteReader reader(bytes);
  BatchSpec spec;
  spec.name = reader.String();
  Result<Node> pipeline = Node::Decode(reader.String());
  if (!pipeline.ok()) return pipeline.error();
  spec.pipeline = std::move(pipeline).value();
  spec.origin.filter = reader.String();
  spec.origin.topic = reader.String();
  const bool has_column = reader.U8() != 0;
  const std::string column(reader.String());
  if (has_column) spec.origin.column = column;
  spec.lateness = reader.U8() == 0 ? Lateness::kNever : Lateness::kAsStream;
  spec.record_max = reader.U64();
  spec.columns_are_seen = reader.U8() != 0;
  if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a batch pipeline is cut off"};
  return spec;
}

std::vector<std::string> BatchPlan::ResultFields() const {
  if (window == nullptr || compiled->steps[window_step].op->Window() != window) return {};
  std::vector<std::string> names;
  for (const KeyPart& part : window->key.parts) names.push_back(part.name);
  names.insert(names.end(), {"start", "end"});
  for (const AggregateColumn& column : window->columns) names.push_back(column.name);
  return names;
}

std::vector<std::string> BatchPlan::ListsTakenApart() const {
  std::vector<std::string> lists;
  for (const CompiledStep& step : compiled->steps) {
    if (step.op->MakesRecords()) break;
    const std::optional<std::uint16_t> list = step.op->ListTakenApart();
    if (list.has_value()) lists.emplace_back(compiled->tables[step.table]->name(*list));
  }
  return lists;
}

std::string BatchPlan::Explain() const {
  std::string text = "batch\n  ";
  switch (way) {
    case BatchWay::kRows:
      text += "by rows: ";
      break;
    case BatchWay::kGroups:
      text += "by chunks: ";
      break;
    case BatchWay::kPartitions:
      text += "by partitions of the key (" + std::to_string(kBatchPartitions) + "): ";
      break;
    case BatchWay::kInOrder:
      text += "in order, by one worker: ";
      break;
  }
  text += why + "\n";
  if (way == BatchWay::kGroups) {
    text +=
        "  what chunks leave is merged in the order of the input; where the first chunk has a\n"
        "  group for every other row, rows go to partitions of the groups instead\n";
  }
  return text;
}

std::unique_ptr<const BatchPlan> CompileBatch(const BatchSpec& spec, const Registry& registry,
                                              Diagnostics& diagnostics) {
  PlanLimits limits;
  limits.use = spec.lateness == Lateness::kNever ? PlanUse::kFiles : PlanUse::kDevice;
  // A sorted result has its key in front.
  limits.record_max = 2 * spec.record_max;
  const std::uint32_t partitions = spec.lateness == Lateness::kAsStream ? 1 : kBatchPartitions;
  const Node root = ForFiles(spec, partitions);
  std::unique_ptr<CompiledPlan> compiled = Compile(root, spec, registry, limits, diagnostics);
  if (compiled == nullptr) return nullptr;
  auto batch = std::make_unique<BatchPlan>();
  batch->lateness = spec.lateness;
  DecideWay(*compiled, *batch);
  // One worker does that: of several partitions each would have its own part of the memory.
  if (batch->way == BatchWay::kInOrder && partitions > 1) {
    compiled = Compile(ForFiles(spec, 1), spec, registry, limits, diagnostics);
    if (compiled == nullptr) return nullptr;
  }
  if (spec.origin.column.has_value()) compiled->tables[0]->Intern(*spec.origin.column);
  batch->origin = spec.origin;
  batch->record_max = spec.record_max;
  batch->refuses_other_fields = spec.columns_are_seen;
  const auto csv_of = [&](const char* member) {
    const Node* node = root.Find(member);
    const Node none;
    const bool options = node != nullptr && node->IsMap() && node->members.size() == 1;
    return CompileCsvPlan(options ? node->members[0].value : none, root.position, diagnostics);
  };
  if (compiled->decode == "csv") batch->csv = csv_of("decode");
  if (compiled->encode == "csv") {
    if (const std::optional<CsvPlan> csv = csv_of("encode")) {
      batch->columns = csv->options.columns;
      batch->dialect = csv->dialect;
    }
  }
  for (const CompiledStep& step : compiled->steps) {
    if (batch->window == nullptr) batch->window = step.op->Window();
  }
  if (!CheckTimes(*compiled, spec.pipeline, diagnostics)) return nullptr;
  if (batch->sorts_results()) {
    compiled->encode_format = MakeSortedFormat(*batch, std::move(compiled->encode_format));
  }
  batch->compiled = std::move(compiled);
  return batch;
}

}  // namespace runnel
