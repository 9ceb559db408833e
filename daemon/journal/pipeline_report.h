// PipelineReport: where the records of a pipeline went; the sum of what its tasks say.
//
// Tasks that a pipeline does not have any more stay in the sum (ended_tasks.h). Reads files
// without changing anything, as task_report.h.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/journal/task_report.h"

namespace runnel {

// Plain data: stands in a file as it is.
struct PipelineCounts {
  std::uint64_t received = 0;  // messages
  std::uint64_t messages = 0;  // of them, those that the first stage has done
  std::uint64_t records = 0;   // in them; filtered to dead_lettered say where they went
  std::uint64_t redelivered = 0;
  std::uint64_t overload_dropped = 0;
  std::uint64_t filtered = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t passed = 0;  // by the last stage, to the sink
  std::uint64_t late = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t results = 0;
  std::uint64_t results_filtered = 0;
  std::uint64_t results_absorbed = 0;
  std::uint64_t results_dead_lettered = 0;
  std::uint64_t published = 0;
  std::uint64_t rejected = 0;
  std::uint64_t states_lost = 0;
  std::uint64_t sent_on = 0;   // records, to a next stage
  std::uint64_t taken_on = 0;  // records, from a stage before

  // Taken in and not settled yet.
  std::uint64_t in_flight() const {
    return (received > messages ? received - messages : 0) +
           (sent_on > taken_on ? sent_on - taken_on : 0);
  }
  void Add(const TaskReport& task, bool first_stage, bool last_stage);
  void Add(const PipelineCounts& other);
};

// Why the source of a pipeline waits.
enum class WaitsFor : std::uint8_t {
  kNothing,   // it does not
  kUpstream,  // results wait for the broker of a sink, and what comes in behind them
  kWorkers,   // more comes in than the workers get done
};

struct PipelineReport : PipelineCounts {
  std::string name;
  // How long messages of its tasks have waited for room, up to now.
  Duration waited{};
  WaitsFor waits_for = WaitsFor::kNothing;

  // `received 7421  filtered 310  aggregated 7111  results 96  published 96`, and what
  // else is not zero.
  std::string Line() const;
  // One JSON object.
  std::string Json() const;
};

// Of all tasks whose files lie in `folder`, which is its name. What cannot be read is left out, and
// `problem` says so.
PipelineReport ReadPipelineReport(const std::string& folder, std::string& problem);

}  // namespace runnel
