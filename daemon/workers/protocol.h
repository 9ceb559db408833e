// Protocol: what the daemon tells a worker over its channel at start.
//
// One HostSettings, one TaskSettings for each task, then a go; each with its file
// descriptors. The worker answers once, when it is ready. After that the channel
// says only one thing: closed or readable at the worker's end means stop.
#pragma once

#include <chrono>
#include <string>

#include "daemon/posix/channel.h"
#include "daemon/workers/host.h"

namespace runnel {

struct HostSettings {
  std::chrono::nanoseconds max_delay{2'000'000};
  std::uint64_t record_max = 64 * 1024;
  std::uint64_t memory_max = 256 << 20;  // bytes that a worker may allocate
  std::string poison_text;               // see TaskOptions
};

struct TaskSettings {
  TaskId id;
  bool last_stage = true;
  std::size_t appends = 0;  // its place in DaemonPage
  std::uint64_t plan_fingerprint = 0;
  std::string plan;  // encoded Node
};

// The ends of a worker's channel after `stop` is taken from it.
Status SendHost(Channel& channel, const HostSettings& settings, const HostLinks& links);
Status SendTask(Channel& channel, const TaskSettings& settings, const TaskDescriptors& files);
Status SendGo(Channel& channel);

// What a worker was told, complete.
struct Assignment {
  struct OneTask {
    TaskSettings settings;
    TaskDescriptors files;
  };
  HostSettings settings;
  HostLinks links;  // without `stop`
  std::vector<OneTask> tasks;
};
Result<Assignment> ReceiveAssignment(Channel& channel);

}  // namespace runnel
