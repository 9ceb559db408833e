#include "daemon/commands/load.h"

#include <cstdlib>
#include <initializer_list>

#include "daemon/ingest/topic_filter.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

// The place of `a: { b: { c: … } }` in a file, or of the nearest part that is there.
Position Place(const Node& root, std::initializer_list<const char*> path) {
  const Node* node = &root;
  for (const char* key : path) {
    const Node* next = node->Find(key);
    if (next == nullptr) break;
    node = next;
  }
  return node->position;
}

void CheckBroker(const DeviceConfig& device, const std::string& name, const Position& position,
                 Diagnostics& diagnostics) {
  if (device.FindBroker(name) != nullptr) return;
  std::vector<std::string_view> names;
  for (const auto& [known, broker] : device.brokers) names.push_back(known);
  const std::string_view meant = DidYouMean(name, names);
  std::string hint = "did you mean `" + std::string(meant) + "`?";
  if (meant.empty()) {
    hint = names.empty() ? "it has none" : "it has " + internal::ListOfNames(names);
  }
  diagnostics.Error(position, "there is no broker `" + name + "` in runnel.yaml", std::move(hint));
}

// The topics that a sink may publish to: `out/{device}/x` to `out/+/x`.
std::string AsFilter(std::string_view topic) {
  std::string filter;
  while (true) {
    const std::string_view level = topic.substr(0, topic.find('/'));
    filter += level.find('{') == std::string_view::npos ? level : "+";
    if (level.size() == topic.size()) return filter;
    topic.remove_prefix(level.size() + 1);
    filter += '/';
  }
}

// A result that the source takes in makes another one, and so on.
void WarnOfLoops(const DeviceConfig& device, const Plan& plan, std::size_t sink,
                 const Position& position, Diagnostics& diagnostics) {
  const MqttSink& out = plan.sinks()[sink];
  const Result<TopicFilter> in = TopicFilter::Parse(plan.source().topic);
  const Result<TopicFilter> results = TopicFilter::Parse(AsFilter(out.topic));
  // Without a name it is the first one.
  const bool same = device.FindBroker(out.broker) == device.FindBroker(plan.source().broker);
  if (!in.ok() || !results.ok() || !same) return;
  if (!Covers(in.value(), results.value())) return;
  diagnostics.Warning(position, "the source takes in what goes to `" + out.topic + "`",
                      "publish to topics that `" + plan.source().topic + "` does not match");
}

void CheckEndpoints(const PipelineFile& file, const Plan& plan, const DeviceConfig& device,
                    Diagnostics& diagnostics) {
  CheckBroker(device, plan.source().broker, Place(file.root, {"source", "mqtt", "broker"}),
              diagnostics);
  const Node* more = file.root.Find("sinks");
  for (std::size_t i = 0; i < plan.sinks().size(); ++i) {
    const Node* node = file.root.Find("late");
    if (i == 0) node = file.root.Find("sink");
    if (i > 0 && more != nullptr && i <= more->members.size()) node = &more->members[i - 1].value;
    CheckBroker(device, plan.sinks()[i].broker, Place(*node, {"mqtt", "broker"}), diagnostics);
    WarnOfLoops(device, plan, i, Place(*node, {"mqtt", "topic"}), diagnostics);
  }
  const Result<TopicFilter> filter = TopicFilter::Parse(plan.source().topic);
  if (!filter.ok()) {
    diagnostics.Error(Place(file.root, {"source", "mqtt", "topic"}), filter.error().message);
  }
}

LoadOptions OptionsOf(const CommandLine& line) {
  LoadOptions options;
  options.device_file = line.device_file;
  options.pipelines = line.pipelines;
  options.environment =
      SystemdEnvironment([](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      });
  return options;
}

}  // namespace

std::optional<DeviceConfig> LoadDevice(const CommandLine& line, Diagnostics& diagnostics) {
  return LoadDeviceConfig(OptionsOf(line), diagnostics);
}

std::optional<Loaded> LoadAll(const CommandLine& line, Diagnostics& diagnostics) {
  Config config = ReadConfig(OptionsOf(line), diagnostics);
  Registry registry;
  RegisterAll(registry);
  PlanLimits limits;
  limits.record_max = static_cast<std::uint64_t>(config.device.limits.record.bytes);
  Loaded loaded;
  for (const PipelineFile& file : config.pipelines) {
    RunningPipeline pipeline;
    pipeline.plan = CompilePlan(file.root, file.name, registry, limits, diagnostics);
    if (pipeline.plan == nullptr) continue;
    if (config.device_is_right) CheckEndpoints(file, *pipeline.plan, config.device, diagnostics);
    pipeline.encoded = file.root.Encode();
    pipeline.fingerprint = pipeline.plan->fingerprint();
    if (pipeline.encoded.size() > config.device.limits.PlanMax()) {
      diagnostics.Error({file.path, 0, 0},
                        "the pipeline with its tables is larger than a quarter of limits.journal",
                        "make `limits: { journal: … }` in runnel.yaml larger");
    }
    loaded.pipelines.push_back(std::move(pipeline));
    loaded.files.push_back(file);
  }
  if (diagnostics.has_errors()) return std::nullopt;
  loaded.device = std::move(config.device);
  return loaded;
}

}  // namespace runnel
