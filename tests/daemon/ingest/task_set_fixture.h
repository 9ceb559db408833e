// TaskSets: a device's folders, opened as a daemon opens them.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_folders.h"
#include "daemon/ingest/task_set.h"
#include "daemon/posix/files.h"
#include "daemon/workers/plan_cache.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace fs = std::filesystem;

inline constexpr std::uint32_t kTasks = 2;
inline constexpr char kPipeline[] = R"(
source: { mqtt: { topic: "in/{device}" } }
partitions: 2
sink: { mqtt: { topic: "out/{device}" } }
)";

// In two stages, the second by a field.
inline std::string ByField(const std::string& field) {
  return "source: { mqtt: { topic: \"in/{device}\" } }\npartitions: 2\nsteps: [ dedupe: { id: seq, "
         "key: " +
         field + ", ttl: 1h } ]\nsink: { mqtt: { topic: \"out/{device}\" } }\n";
}

class TaskSets : public ::testing::Test {
 protected:
  TaskSets() {
    char pattern[] = "/tmp/runnel-task-set-XXXXXX";
    folder_ = mkdtemp(pattern);
    RegisterAll(registry_);
    sizes_.in_ring = 64 * 1024;
    sizes_.out_ring = 64 * 1024;
    sizes_.state = 64 * 1024;
  }
  ~TaskSets() override { fs::remove_all(folder_); }

  // A pipeline `p` of so many partitions.
  RunningPipeline Pipeline(int partitions) {
    std::string text(kPipeline);
    text.replace(text.find("partitions: 2"), 13, "partitions: " + std::to_string(partitions));
    return Pipeline(text);
  }
  RunningPipeline Pipeline(const std::string& text) {
    Diagnostics diagnostics;
    const std::optional<PipelineFile> file = ReadPipeline(text, "p.yaml", {}, {}, diagnostics);
    RunningPipeline pipeline;
    pipeline.plan = CompilePlan(file->root, "p", registry_, {}, diagnostics);
    pipeline.encoded = file->root.Encode();
    pipeline.fingerprint = pipeline.plan->fingerprint();
    return pipeline;
  }
  std::vector<RunningPipeline> Pipelines(int partitions) {
    std::vector<RunningPipeline> pipelines;
    pipelines.push_back(Pipeline(partitions));
    return pipelines;
  }
  std::vector<RunningPipeline> Pipelines(const std::string& text) {
    std::vector<RunningPipeline> pipelines;
    pipelines.push_back(Pipeline(text));
    return pipelines;
  }
  // Of `where`, which has the runtime folder and the state.
  Result<std::unique_ptr<TaskSet>> Open(const std::string& where) {
    return Open(where, Pipelines(kTasks));
  }
  Result<std::unique_ptr<TaskSet>> Open(const std::string& where,
                                        std::vector<RunningPipeline> pipelines) {
    TaskSetOptions options;
    options.compile = [this](const std::string& name, std::string_view encoded) {
      return CompileEncoded(name, encoded, registry_, {});
    };
    options.runtime = folder_ + where + "/runtime";
    options.state = folder_ + where + "/state";
    options.incarnation = incarnation_ += 100;  // of its tasks, each
    options.sizes = sizes_;
    options.warn = [this](const std::string& text) { warnings_ += text + "\n"; };
    Result<std::unique_ptr<TaskSet>> tasks = TaskSet::Open(std::move(pipelines), options);
    // As the daemon does, with what has failed and before it begins.
    if (!tasks.ok() || !begins_) {
      EXPECT_TRUE(SaveRestOfTasks(options.runtime, options.state).ok());
    } else if (Status forgotten = tasks.value()->ForgetSaved(); !forgotten.ok()) {
      return forgotten.error();
    }
    return tasks;
  }
  // A daemon that has got something and was stopped; the machine starts again.
  void StopForAReboot() {
    const std::unique_ptr<TaskSet> tasks = Open("/device").value();
    Fill(*tasks);
    ASSERT_TRUE(SaveTasks(folder_ + "/device/runtime", folder_ + "/device/state").ok());
    fs::remove_all(folder_ + "/device/runtime");
  }
  // Task i gets its plan and i + 1 messages.
  void Fill(TaskSet& tasks) {
    const RunningPipeline& pipeline = tasks.pipelines()[0];
    for (std::uint32_t i = 0; i < kTasks; ++i) {
      InJournal& journal = *tasks.at(0, 0, i).journal;
      ASSERT_EQ(journal.AppendPlan(pipeline.fingerprint, pipeline.encoded, Time{}),
                Appended::kDone);
      for (std::uint32_t message = 0; message <= i; ++message) {
        ASSERT_EQ(journal.AppendMessage("in/d", "payload", Time{}, {}), Appended::kDone);
      }
    }
  }
  // What is left in a folder: files, by their names from there.
  std::vector<std::string> FilesIn(const std::string& where) const {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ + where)) {
      if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder_ + where));
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // When they were written.
  std::map<std::string, fs::file_time_type> TimesOf(const std::string& where) const {
    std::map<std::string, fs::file_time_type> times;
    for (const std::string& file : FilesIn(where)) {
      times[file] = fs::last_write_time(folder_ + where + "/" + file);
    }
    return times;
  }
  std::string Snapshot(const std::string& where, std::uint32_t task) const {
    return SnapshotPath(folder_ + where + "/state", {"p", 0, task});
  }

  std::string folder_;
  Registry registry_;
  TaskSizes sizes_;
  std::string warnings_;
  std::uint64_t incarnation_ = 0;
  bool begins_ = true;  // the daemon, when the tasks are open
};

}  // namespace runnel
