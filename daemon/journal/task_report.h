// TaskReport: what a task's files say about where its records went.
//
// Reads the files without changing anything: works beside a running daemon, and
// after its end. Sums over tasks give the ledger of a pipeline.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/journal/task_files.h"
#include "pipelines/base/result.h"

namespace runnel {

struct TaskReport {
  std::uint64_t received = 0;  // messages taken in (first stage)
  std::uint64_t redelivered = 0;
  std::uint64_t overload_dropped = 0;
  Ledger ledger;  // as of the last checkpoint
  std::uint64_t published = 0;
  std::uint64_t rejected = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t states_lost = 0;
  std::uint64_t unsettled = 0;  // bytes of outputs
  std::uint64_t plan_fingerprint = 0;
  // Nothing that it has read or will read without more input makes an output, and all that it has
  // made are settled.
  bool quiet = false;
};

// `folder` is a task's folder. Fails where the files are missing or not of a task.
Result<TaskReport> ReadTaskReport(const std::string& folder);

// The same for a whole pipeline. `in_flight`: taken in and not settled yet.
struct PipelineReport {
  std::string name;
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

  std::uint64_t in_flight() const {
    return (received > messages ? received - messages : 0) +
           (sent_on > taken_on ? sent_on - taken_on : 0);
  }
  void Add(const TaskReport& task, bool first_stage, bool last_stage);

  // `received 7421  filtered 310  aggregated 7111  results 96  published 96`, and what
  // else is not zero.
  std::string Line() const;
  // One JSON object.
  std::string Json() const;
};

}  // namespace runnel
