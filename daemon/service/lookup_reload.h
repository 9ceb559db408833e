// LookupReload: brings changed tables of `enrich` to the tasks.
//
// Watches the folders of the files (inotify: no wake-up while nothing changes). A file that
// changed gives a changed plan, appended to the journals of its pipeline's tasks: each goes
// over to it between two records, and a replay does so at the same place. A file that cannot
// be used is said in the log, and the earlier table stays. Used on the loop's thread.
#pragma once

#include <asio.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_set.h"
#include "daemon/service/log.h"
#include "daemon/service/plan_sender.h"

namespace runnel {

class LookupReload final {
 public:
  struct Options {
    std::vector<PipelineFile> files;  // of TaskSet::pipelines(), in that order
    DeviceLimits limits;
  };

  // `tasks`, `plans` and `log` outlive it. nullptr where no pipeline names a file.
  static Result<std::unique_ptr<LookupReload>> Create(asio::io_context& loop, TaskSet& tasks,
                                                      PlanSender& plans, Log& log, Options options);
  void Stop();

 private:
  LookupReload(asio::io_context& loop, int inotify, TaskSet& tasks, PlanSender& plans, Log& log,
               Options options);
  Status Watch(const std::string& path);
  void Read();
  bool IsOfTable(std::string_view events) const;
  void Reload();
  void ReloadPipeline(std::size_t pipeline);

  TaskSet* tasks_;
  PlanSender* plans_;
  Log* log_;
  Options options_;
  asio::posix::stream_descriptor inotify_;
  asio::steady_timer settled_;  // after the last change of a file
  char events_[4096];
  std::map<int, std::set<std::string, std::less<>>> names_;  // by watched folder
};

}  // namespace runnel
