// Ledger: where every record went (law 2).
//
//   received = filtered + absorbed + passed + late + dropped + dead_lettered
//   results + results_received
//            = results_filtered + results_absorbed + results_passed + results_dead_lettered
//
// per stage of a task, after every turn. `passed` went to the sink or to the next
// stage. A result stays one in the stages behind. The host keeps it with each checkpoint,
// so that a replay counts nothing twice.
#pragma once

#include <cstdint>

namespace runnel {

struct Ledger {
  std::uint64_t messages = 0;       // pushed; each has a record or more
  std::uint64_t received = 0;       // records: of messages, and of the stage before
  std::uint64_t filtered = 0;       // a filter said no
  std::uint64_t absorbed = 0;       // counted by a window
  std::uint64_t passed = 0;         // encoded for a sink or for the next stage
  std::uint64_t late = 0;           // its window had closed
  std::uint64_t dropped = 0;        // by a named policy (keys_max, windows_max, max_ahead)
  std::uint64_t dead_lettered = 0;  // decode, expression or output error, poison

  std::uint64_t results = 0;           // windows that closed, and other records made here
  std::uint64_t results_received = 0;  // of the stage before
  std::uint64_t results_filtered = 0;
  std::uint64_t results_absorbed = 0;  // by a later window
  std::uint64_t results_passed = 0;
  std::uint64_t results_dead_lettered = 0;

  std::uint64_t settled() const {
    return filtered + absorbed + passed + late + dropped + dead_lettered;
  }
  void Add(const Ledger& other) {
    messages += other.messages;
    received += other.received;
    filtered += other.filtered;
    absorbed += other.absorbed;
    passed += other.passed;
    late += other.late;
    dropped += other.dropped;
    dead_lettered += other.dead_lettered;
    results += other.results;
    results_received += other.results_received;
    results_filtered += other.results_filtered;
    results_absorbed += other.results_absorbed;
    results_passed += other.results_passed;
    results_dead_lettered += other.results_dead_lettered;
  }
  bool Balances() const {
    return received == settled() &&
           results + results_received ==
               results_filtered + results_absorbed + results_passed + results_dead_lettered;
  }
};

}  // namespace runnel
