#include "daemon/commands/load.h"

#include <algorithm>
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

// What a pipeline takes in and gives, at which brokers; a topic that is wrong matches nothing.
struct Ends {
  struct End {
    const BrokerConfig* broker = nullptr;
    TopicFilter filter;
  };
  // Whether it takes in whatever goes to that end of another, or of its own.
  bool TakesIn(const End& sink) const {
    return sink.broker == source.broker && !sink.filter.wire().empty() &&
           Covers(source.filter, sink.filter);
  }
  End source;
  std::vector<End> sinks;
};

Ends EndsOf(const Plan& plan, const DeviceConfig& device) {
  // Without a name it is the first one.
  const auto end = [&](const std::string& broker, std::string_view topic) {
    Result<TopicFilter> filter = TopicFilter::Parse(topic);
    return Ends::End{device.FindBroker(broker),
                     filter.ok() ? std::move(filter).value() : TopicFilter()};
  };
  Ends ends{end(plan.source().broker, plan.source().topic), {}};
  for (const MqttSink& sink : plan.sinks()) {
    ends.sinks.push_back(end(sink.broker, AsFilter(sink.topic)));
  }
  return ends;
}

const Node& NodeOfSink(const PipelineFile& file, std::size_t sink) {
  const Node* more = file.root.Find("sinks");
  if (sink > 0 && more != nullptr && sink <= more->members.size()) {
    return more->members[sink - 1].value;
  }
  return *file.root.Find(sink == 0 ? "sink" : "late");
}

// By pipeline: to which others what it publishes goes, over others too.
std::vector<std::vector<bool>> WhoReachesWhom(const std::vector<Ends>& all) {
  std::vector<std::vector<bool>> reaches(all.size(), std::vector<bool>(all.size()));
  for (std::size_t from = 0; from < all.size(); ++from) {
    for (std::size_t to = 0; to < all.size(); ++to) {
      const auto takes_in = [&](const Ends::End& sink) { return all[to].TakesIn(sink); };
      reaches[from][to] = std::any_of(all[from].sinks.begin(), all[from].sinks.end(), takes_in);
    }
  }
  // Source: Warshall, "A theorem on Boolean matrices", 1962.
  for (std::size_t over = 0; over < all.size(); ++over) {
    for (std::size_t from = 0; from < all.size(); ++from) {
      if (!reaches[from][over]) continue;
      for (std::size_t to = 0; to < all.size(); ++to) {
        if (reaches[over][to]) reaches[from][to] = true;
      }
    }
  }
  return reaches;
}

// A result that comes in again makes another one, and so on.
void WarnOfLoops(const Loaded& loaded, const DeviceConfig& device, Diagnostics& diagnostics) {
  std::vector<Ends> all;
  for (const RunningPipeline& pipeline : loaded.pipelines) {
    all.push_back(EndsOf(*pipeline.plan, device));
  }
  const std::vector<std::vector<bool>> reaches = WhoReachesWhom(all);
  const auto warn = [&](std::size_t pipeline, std::size_t sink, std::size_t next) {
    const std::string topic = "`" + loaded.pipelines[pipeline].plan->sinks()[sink].topic + "`";
    const Plan& taker = *loaded.pipelines[next].plan;
    diagnostics.Warning(Place(NodeOfSink(loaded.files[pipeline], sink), {"mqtt", "topic"}),
                        pipeline == next
                            ? "the source takes in what goes to " + topic
                            : "pipeline `" + taker.name() + "` takes in what goes to " + topic +
                                  ", and what it makes of it comes back to this one",
                        "publish to topics that `" + taker.source().topic + "` does not match");
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!reaches[i][i]) continue;
    for (std::size_t k = 0; k < all[i].sinks.size(); ++k) {
      std::size_t next = i;
      if (!all[i].TakesIn(all[i].sinks[k])) {
        next = 0;
        while (next < all.size() && !(reaches[next][i] && all[next].TakesIn(all[i].sinks[k])))
          ++next;
      }
      if (next < all.size()) warn(i, k, next);
    }
  }
}

void CheckEndpoints(const PipelineFile& file, const Plan& plan, const DeviceConfig& device,
                    Diagnostics& diagnostics) {
  CheckBroker(device, plan.source().broker, Place(file.root, {"source", "mqtt", "broker"}),
              diagnostics);
  for (std::size_t i = 0; i < plan.sinks().size(); ++i) {
    CheckBroker(device, plan.sinks()[i].broker, Place(NodeOfSink(file, i), {"mqtt", "broker"}),
                diagnostics);
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
  if (config.device_is_right) WarnOfLoops(loaded, config.device, diagnostics);
  if (diagnostics.has_errors()) return std::nullopt;
  loaded.device = std::move(config.device);
  return loaded;
}

}  // namespace runnel
