// App: the daemon, from a checked configuration to the last checkpoint.
//
// Builds everything in the order in which it is needed, runs the loop, and takes it
// down again: sources first, then workers, then the uplink, so that what was taken in
// is worked off and published before the end, within a bounded time.
#pragma once

#include <asio.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_set.h"
#include "daemon/service/exchange.h"
#include "daemon/service/folder_watch.h"
#include "daemon/service/log.h"
#include "daemon/service/lookup_reload.h"
#include "daemon/service/mqtt_setup.h"
#include "daemon/service/notify.h"
#include "daemon/service/plan_sender.h"
#include "daemon/service/retirement.h"
#include "daemon/service/source.h"
#include "daemon/service/stall_watch.h"
#include "daemon/service/supervisor.h"
#include "daemon/service/switchboard.h"
#include "daemon/service/ticker.h"

namespace runnel {

class App final {
 public:
  struct Options {
    DeviceConfig device;
    std::vector<RunningPipeline> pipelines;
    std::vector<PipelineFile> files;  // of each
    std::string worker_executable;
    std::string uplink_executable;
    std::string notify_socket;  // NOTIFY_SOCKET
    std::string watchdog_usec;  // WATCHDOG_USEC
    std::string poison_text;    // see TaskOptions
  };

  App(Options options, Log& log);
  ~App();

  // Runs until SIGTERM, SIGINT or SIGHUP. The exit code: 0, or 1 with the reason in the log.
  int Run();

 private:
  Status Begin();
  Status LockFolders();
  Status Prepare();
  Status OpenTasks();
  void MakeSupervisor();
  Status MakeSources();
  void TellPlans();
  void WaitForSignals();
  void WatchRuntime();
  Status WaitForBell();
  void WaitFor(asio::posix::stream_descriptor& bell);
  void OnBell();
  void OnReady();
  void RememberPlaces(const std::string& broker, Remember how);
  void OnUplink(std::string_view line);
  void FeedWatchdog();
  void Save();
  void Summary();

  // The end, in steps; each schedules the next.
  void BeginStop();
  void WaitUntilDrained();
  void StopWorkers();
  void StopUplink();
  void Finish();

  Time Now() const;
  std::vector<Ringer*> Ringers();

  Options options_;
  Log* log_;
  Notifier notifier_;
  asio::io_context loop_;
  asio::signal_set signals_;
  asio::steady_timer timer_;  // of the steps of the end
  asio::steady_timer watchdog_;
  Fd runtime_lock_;
  Fd state_lock_;
  std::unique_ptr<FolderWatch> runtime_watch_;
  std::unique_ptr<Switchboard> board_;
  std::unique_ptr<TaskSet> tasks_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Ticker> ticker_;
  std::unique_ptr<PlanSender> plans_;
  std::unique_ptr<LookupReload> lookups_;
  std::unique_ptr<Retirement> retirement_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<StallWatch> stalls_;
  std::unique_ptr<PahoControl> control_;
  SessionPlaces places_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<asio::posix::stream_descriptor>> bell_;  // event and timer
  std::chrono::steady_clock::time_point stop_deadline_{};
  bool stopping_ = false;
  bool must_exit_hard_ = false;  // Paho could not be stopped
  int exit_code_ = 0;
};

}  // namespace runnel
