#include "daemon/commands/explain.h"

#include <algorithm>

#include "daemon/journal/task_files.h"
#include "daemon/service/mqtt_setup.h"
#include "pipelines/base/state.h"

namespace runnel {
namespace {

// Resident memory of the processes themselves, measured by bench/memory.
constexpr std::uint64_t kProcesses = 10 << 20;
constexpr std::uint64_t kOneWorker = 1 << 20;

std::string Size(std::uint64_t bytes) {
  if (bytes >= std::uint64_t{10} << 30) return std::to_string((bytes + (1 << 29)) >> 30) + " GiB";
  if (bytes >= 10 << 20) return std::to_string((bytes + (1 << 19)) >> 20) + " MiB";
  return std::to_string((bytes + 1023) >> 10) + " KiB";
}

std::string Guarantee(const DeviceConfig& device, const Plan& plan) {
  std::string text;
  const MqttSource& source = plan.source();
  const BrokerConfig& broker = *device.FindBroker(source.broker);
  if (source.qos == 0) {
    text += "  in:  at most once from the broker (qos: 0), then exactly once in the windows\n";
  } else if (broker.session == Session::kClean) {
    text +=
        "  in:  at least once while connected; what comes while this device is away is lost"
        " (session: clean)\n";
  } else if (source.redelivery == RedeliveryPolicy::kKeep) {
    text +=
        "  in:  at least once; a message redelivered after a kill is counted again"
        " (redelivery: keep)\n";
  } else {
    text += "  in:  every message once in the windows, across kill -9 of any process\n";
  }
  for (const MqttSink& sink : plan.sinks()) {
    text += "  out: `" + sink.topic + "`: ";
    text += sink.qos == 0 ? "at most once (qos: 0)\n"
                          : "at least once, each result with the same runnel-id and bytes\n";
  }
  if (WorkerCount(device) == 0) {
    text += "  a record that crashes the engine stops the daemon (workers: 0)\n";
  }
  text += "  power: open windows outlive a planned stop; a power cut loses what is in memory\n";
  return text;
}

// What the windows of each task can grow to.
std::string State(const DeviceConfig& device, const Plan& plan) {
  std::string text;
  const auto limit = static_cast<std::uint64_t>(device.limits.state.bytes);
  for (std::size_t stage = 0; stage < plan.stages(); ++stage) {
    const std::uint64_t most = plan.StateBytesMax(stage);
    if (most == 0) continue;
    text += "  state   of a task of stage " + std::to_string(stage) + ": at most " +
            Size(std::min(most, limit));
    if (most > limit) text += ", limits.state; keys_max keys of windows_max windows: " + Size(most);
    text += "\n";
  }
  return text;
}

// Tasks are dealt out in turn, as TaskSet does it.
std::string Hosts(const DeviceConfig& device, const std::vector<RunningPipeline>& pipelines) {
  std::vector<std::string> hosts(HostCount(device));
  std::size_t task = 0;
  for (const RunningPipeline& pipeline : pipelines) {
    std::vector<std::string> named(hosts.size());
    for (std::size_t stage = 0; stage < pipeline.plan->stages(); ++stage) {
      for (std::uint32_t part = 0; part < pipeline.plan->partitions(stage); ++part, ++task) {
        std::string& host = named[task % hosts.size()];
        host += (host.empty() ? pipeline.plan->name() + " " : ", ") + std::to_string(stage) + "." +
                std::to_string(part);
      }
    }
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (!named[i].empty()) hosts[i] += (hosts[i].empty() ? "" : "; ") + named[i];
    }
  }
  std::string text = "who runs what, as stage.task\n";
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const bool alone = WorkerCount(device) == 0;
    text += alone ? "  the daemon  " : "  worker " + std::to_string(i + 1) + "  ";
    text += (hosts[i].empty() ? "nothing: there are fewer tasks" : hosts[i]) + "\n";
  }
  return text + "\n";
}

struct Memory {
  std::uint64_t journals = 0;
  std::uint64_t state = 0;
};

Memory MemoryOf(const DeviceConfig& device, const Plan& plan) {
  Memory memory;
  const auto ring = static_cast<std::uint64_t>(device.limits.journal.bytes);
  const auto state_limit = static_cast<std::uint64_t>(device.limits.state.bytes);
  for (std::size_t stage = 0; stage < plan.stages(); ++stage) {
    const std::uint64_t partitions = plan.partitions(stage);
    memory.journals += partitions * (2 * ring + UndoLog::BytesFor(kUndoLines) +
                                     TaskSizes{}.redelivery * sizeof(RedeliveryEntry));
    memory.state += partitions * std::min(plan.StateBytesMax(stage), state_limit);
  }
  return memory;
}

}  // namespace

std::string ExplainDevice(const DeviceConfig& device,
                          const std::vector<RunningPipeline>& pipelines) {
  std::string text;
  Memory all;
  for (const RunningPipeline& pipeline : pipelines) {
    const Plan& plan = *pipeline.plan;
    text += plan.Explain() + State(device, plan) + "guarantee\n" + Guarantee(device, plan) + "\n";
    const Memory memory = MemoryOf(device, plan);
    all.journals += memory.journals;
    all.state += memory.state;
  }
  const std::uint64_t workers = WorkerCount(device);
  const std::uint64_t processes = kProcesses + workers * kOneWorker;
  text += Hosts(device, pipelines);
  text += "memory, worst case\n";
  text += "  processes (daemon, uplink, " + std::to_string(workers) +
          (workers == 1 ? " worker)   about " : " workers)  about ") + Size(processes) + "\n";
  text += "  journals                              " + Size(all.journals) + "\n";
  text += "  windows and keys, when all are full   " + Size(all.state) + "\n";
  text += "  sum                                   " + Size(processes + all.journals + all.state) +
          "\n";
  return text;
}

}  // namespace runnel
