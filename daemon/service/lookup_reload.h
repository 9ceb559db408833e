// LookupReload: brings changed tables of `enrich` to the tasks.
//
// Watches the folders of the files (inotify: no wake-up while nothing changes). A file that
// changed gives a changed plan, appended to the journals of its pipeline's tasks: each goes
// over to it between two records, and a replay does so at the same place. A file that cannot
// be used is said in the log, and the earlier table stays. Used on the loop's thread.
#pragma once

#include <asio.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_set.h"
#include "daemon/posix/doorbell.h"
#include "daemon/service/log.h"

namespace runnel {

class LookupReload final {
 public:
  struct Options {
    std::vector<PipelineFile> files;  // of TaskSet::pipelines(), in that order
    DeviceLimits limits;
    std::function<Time()> now;
  };

  // `tasks`, `workers` (by index) and `log` outlive it. nullptr where no pipeline names a file.
  static Result<std::unique_ptr<LookupReload>> Create(asio::io_context& loop, TaskSet& tasks,
                                                      std::vector<Ringer*> workers, Log& log,
                                                      Options options);
  void Stop();

 private:
  LookupReload(asio::io_context& loop, int inotify, TaskSet& tasks, std::vector<Ringer*> workers,
               Log& log, Options options);
  Status Watch(const std::string& path);
  void Read();
  bool IsOfTable(std::string_view events) const;
  void Reload();
  void ReloadPipeline(std::size_t pipeline);
  void Send();

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  Log* log_;
  Options options_;
  asio::posix::stream_descriptor inotify_;
  asio::steady_timer settled_;  // after the last change of a file
  asio::steady_timer again_;    // for a journal that was full
  char events_[4096];
  std::map<int, std::set<std::string, std::less<>>> names_;  // by watched folder
  std::set<std::size_t> unsent_;                             // pipelines
};

}  // namespace runnel
