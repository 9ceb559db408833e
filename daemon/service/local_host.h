// LocalHost: the work of a worker on a thread of the daemon, for `workers: 0`.
//
// The same Host and Tasks; only the crash isolation is given up.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "daemon/workers/protocol.h"
#include "pipelines/plan/registry.h"

namespace runnel {

class LocalHost final {
 public:
  // Starts the thread. `assignment` as a worker would receive it. A task that cannot
  // be taken over is reported and left alone.
  static Result<std::unique_ptr<LocalHost>> Start(Assignment assignment,
                                                  std::function<void(const Error&)> report);
  ~LocalHost();

  // Checkpoints everything and ends the thread.
  void Stop();

 private:
  LocalHost() = default;

  Registry registry_;
  std::unique_ptr<Host> host_;
  Fd stop_;  // closing it stops the host
  std::thread thread_;
};

}  // namespace runnel
