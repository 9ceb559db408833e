// Publisher: the results of the tasks to their sinks, settled in order.
//
// Reads each task's outputs, keeps as many in flight as the sink has room for, and
// settles a task's oldest outputs as they are done: acknowledged, rejected (to the
// dead letters) or dead letters themselves. What is cut off is published again from
// the ring, in order, with the same id. Runs on one thread; never waits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/journal/out_reader.h"
#include "daemon/posix/doorbell.h"
#include "daemon/uplink/dead_letter_file.h"
#include "daemon/uplink/sink.h"

namespace runnel {

// How results of one sink of a pipeline are published.
struct SinkBinding {
  std::uint64_t tag = 0;  // of the results for it
  Sink* sink = nullptr;   // borrowed
  std::string id_prefix;  // client id and a slash
  int qos = 1;
  bool retain = false;
};

class Publisher final {
 public:
  struct Source {
    TaskId id;
    std::unique_ptr<OutReader> reader;
    Doorbell worker_bell;                             // rung when its room was freed
    const std::vector<SinkBinding>* sinks = nullptr;  // of its pipeline; outlives this
    DeadLetterFile* dead_letters = nullptr;           // of its pipeline
  };

  explicit Publisher(std::function<void(const Error&)> report) : report_(std::move(report)) {}

  void Add(Source source);
  // Publishes what there is room for. Whether anything moved.
  bool Run();
  // What became of one publish.
  void Complete(const Completion& completion);
  // Settles what is complete, without publishing more.
  void Settle();
  // Publishes without a completion, of the sink that has least of them but some; 0: none.
  std::size_t LeastInFlight() const;
  // Whether a worker has written something that Run has not read.
  bool HasMore();
  // Everything written so far is settled.
  bool Drained() const;

 private:
  enum class State : std::uint8_t { kWaiting, kInFlight, kDone };
  struct Entry {
    RecordView record;
    State state = State::kWaiting;
    OutReader::Settled how = OutReader::Settled::kMoved;  // kDone
  };
  struct Lane {
    Source source;
    std::deque<Entry> entries;  // read and not settled, oldest first
    std::uint64_t first = 0;    // number of entries.front()
    std::size_t waiting = 0;    // entries in kWaiting
    bool broken = false;
  };

  bool ReadNext(Lane& lane);
  bool PublishWaiting(Lane& lane, std::size_t lane_index);
  bool Handle(Lane& lane, std::size_t lane_index, Entry& entry, std::uint64_t number);
  void SettleDone(Lane& lane);
  void Reject(Lane& lane, const RecordView& record, std::string_view reason);
  // nullptr: the result is of an earlier plan, which had such a sink.
  const SinkBinding* BindingOf(const Lane& lane, const RecordView& record) const;

  std::function<void(const Error&)> report_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t first_lane_ = 0;                    // of the last round
  std::map<const Sink*, std::size_t> in_flight_;  // published and not complete
};

}  // namespace runnel
