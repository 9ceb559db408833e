// Protocol: what the daemon tells the uplink over its channel at start.
//
// UplinkSettings, one message for each task whose outputs go to a sink, then a go.
// Secrets travel here and never on a command line. The uplink answers `ready`, and
// later one line for each change of a connection: `up BROKER`, `down BROKER REASON`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/journal/task_files.h"
#include "daemon/mqtt/options.h"
#include "daemon/posix/channel.h"
#include "daemon/posix/doorbell.h"

namespace runnel {

// What the uplink writes for all others.
struct UplinkPage {
  SleepWord sleep;
  std::atomic<std::uint64_t> rounds;  // of its loop, for the daemon to see that it lives
};

struct UplinkBroker {
  std::string name;  // as in runnel.yaml
  MqttOptions options;
  std::uint32_t window = 100;  // most results in flight; never above the broker's Receive Maximum
};

struct UplinkSink {
  std::uint64_t tag = 0;     // MqttSink::tag
  std::uint32_t broker = 0;  // index into UplinkSettings::brokers
  int qos = 1;
  bool retain = false;
};

struct UplinkSettings {
  std::vector<UplinkBroker> brokers;
  std::vector<std::vector<UplinkSink>> pipelines;  // the sinks of each
  std::string state;                               // folder of the dead letters
  std::uint64_t dead_letters_max = 4 << 20;
};

Status SendUplinkSettings(Channel& channel, const UplinkSettings& settings, int page,
                          const Doorbell& bell);
// `work` open for reading, `settle` for writing; `bell` of the worker.
Status SendUplinkTask(Channel& channel, const TaskId& id, std::size_t pipeline, int work,
                      int settle, const Doorbell& bell);
Status SendUplinkGo(Channel& channel);

struct UplinkAssignment {
  struct OneTask {
    TaskId id;
    std::size_t pipeline = 0;
    Fd work;
    Fd settle;
    Doorbell bell;
  };
  UplinkSettings settings;
  Fd page;
  Doorbell bell;
  std::vector<OneTask> tasks;
};
Result<UplinkAssignment> ReceiveUplinkAssignment(Channel& channel);

}  // namespace runnel
