// TaskReport: what a task's files say about where its records went.
//
// Reads the files without changing anything: works beside a running daemon, and
// after its end. pipeline_report.h sums them up.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/journal/task_files.h"
#include "pipelines/base/result.h"
#include "pipelines/base/time.h"

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
  // Of the source, for room among the inputs.
  Duration waited{};              // in all, up to now
  bool waits = false;             // still
  bool waits_for_reader = false;  // the worker waits, for room among the outputs
  std::uint64_t plan_fingerprint = 0;
  std::uint64_t incarnation = 0;  // of the files
  // Nothing that it has read or will read without more input makes an output, and all that it has
  // made are settled.
  bool quiet = false;
};

// `folder` is a task's folder. Fails where the files are missing or not of a task.
Result<TaskReport> ReadTaskReport(const std::string& folder);

}  // namespace runnel
