// Exchange: moves the outputs of one stage into the journals of the next.
//
// Runs on the loop. Copies records as they are: the shard stands in their header,
// nothing is parsed. Idempotent, because the journal of the next stage knows the last
// sequence it has of each source. Never waits: where a journal is full, that source
// stays where it is until the worker rings.
//
// Dead letters of an earlier stage go to the dead-letter file of that stage.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/journal/out_reader.h"
#include "daemon/posix/doorbell.h"
#include "daemon/uplink/dead_letter_file.h"

namespace runnel {

class Exchange final {
 public:
  struct Options {
    std::chrono::nanoseconds max_delay{2'000'000};
    std::string state;                         // folder of the dead-letter files
    std::uint64_t dead_letters_max = 4 << 20;  // bytes of each file
    std::function<void(const Error&)> report;
  };

  // `tasks`, and the ringers and bells (one per worker), outlive the exchange.
  static Result<std::unique_ptr<Exchange>> Open(TaskSet& tasks, std::vector<Ringer*> workers,
                                                std::vector<const Doorbell*> bells,
                                                Options options);

  // Moves what can be moved. Whether anything was.
  bool Run();
  // Whether there is something that Run would look at.
  bool HasMore();
  // Everything that earlier stages have written has been taken over.
  bool Drained() const;

 private:
  struct Source {
    RunningTask* task = nullptr;
    std::unique_ptr<OutReader> reader;
    std::optional<RecordView> waiting;  // read, not in every journal that it belongs in
    DeadLetterFile* dead_letters = nullptr;
    bool broken = false;
    bool moved = false;  // a record, since the daemon has started
  };

  Exchange(TaskSet& tasks, std::vector<Ringer*> workers, std::vector<const Doorbell*> bells,
           Options options);
  bool RunSource(Source& source);
  std::optional<OutReader::Settled> Deliver(Source& source, const RecordView& record);
  std::optional<OutReader::Settled> DeliverRecord(const Source& source, const RecordView& record);
  bool DeliverTick(const Source& source, const RecordView& record);
  bool WasDelivered(const Source& source, std::size_t stage, const RecordView& record);
  OutReader::Settled Reject(const Source& source, const RecordView& record,
                            std::string_view reason);
  bool DeliverTo(RunningTask& target, const Source& source, const RecordView& record);

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  std::vector<const Doorbell*> bells_;
  Options options_;
  std::map<std::string, std::unique_ptr<DeadLetterFile>> files_;  // by name
  std::vector<Source> sources_;
};

}  // namespace runnel
