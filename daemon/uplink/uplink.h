// Uplink: the process that publishes what the workers have written.
//
// Apart from the daemon because Paho has one lock and one receive thread per process:
// a source that waits for room would stop the publishing that it waits for. One loop:
// take completions, publish, settle, sleep until somebody rings.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/mqtt/paho_control.h"
#include "daemon/posix/doorbell.h"
#include "daemon/posix/mapping.h"
#include "daemon/uplink/broker_sink.h"
#include "daemon/uplink/protocol.h"
#include "daemon/uplink/publisher.h"

namespace runnel {

class Uplink final {
 public:
  // `say` sends a line to the daemon; any thread.
  static Result<std::unique_ptr<Uplink>> Create(UplinkAssignment assignment, Fd stop,
                                                std::function<void(const std::string&)> say);
  // Publishes until `stop` is readable or closed, then for as long as anything moves,
  // at most `drain`. Whether the sinks could say goodbye; if not, end with _exit().
  bool Run(std::chrono::milliseconds drain);

 private:
  Uplink(Doorbell bell, Fd stop, std::function<void(const std::string&)> say);
  Status AddTask(UplinkAssignment::OneTask task);
  void BindSinks(const UplinkSettings& settings);
  void TakeCompletions();
  bool Round();
  UplinkPage& page() { return *reinterpret_cast<UplinkPage*>(page_.data()); }
  // Whether the loop was asked to stop. Sleeps until there is something to do or, if
  // `until` is given, until then.
  bool Sleep(const std::chrono::steady_clock::time_point* until);

  Doorbell bell_;
  Fd stop_;
  std::function<void(const std::string&)> say_;
  Mapping page_;
  CompletionQueue completions_;
  std::vector<Completion> taken_;
  PahoControl control_;
  std::vector<std::unique_ptr<BrokerSink>> sinks_;
  std::vector<std::vector<SinkBinding>> bindings_;                  // by pipeline
  std::map<std::string, std::unique_ptr<DeadLetterFile>> letters_;  // by name of the pipeline
  std::vector<Fd> locks_;  // the settle files, locked while this process publishes
  Publisher publisher_;
  std::string state_;
  std::uint64_t dead_letters_max_ = 0;
};

}  // namespace runnel
