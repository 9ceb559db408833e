#include "daemon/ingest/task_set.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_folders.h"
#include "daemon/posix/files.h"
#include "daemon/workers/plan_cache.h"
#include "pipelines/plan/registry.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kTasks = 2;
constexpr char kPipeline[] = R"(
source: { mqtt: { topic: "in/{device}" } }
partitions: 2
sink: { mqtt: { topic: "out/{device}" } }
)";

// In two stages, the second by a field.
std::string ByField(const std::string& field) {
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
    options.incarnation = 1;
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
  bool begins_ = true;  // the daemon, when the tasks are open
};

TEST_F(TaskSets, AKilledStartLosesNoSnapshot) {
  StopForAReboot();
  const testing::Stepped stepped = testing::KillAtEveryCall(
      [&] {
        if (!Open("/device").ok()) std::abort();
      },
      folder_ + "/device",
      [&] {
        fs::copy(folder_ + "/device", folder_ + "/copy", fs::copy_options::recursive);
        const Result<std::unique_ptr<TaskSet>> tasks = Open("/copy");
        ASSERT_TRUE(tasks.ok()) << tasks.error().message;
        for (std::uint32_t i = 0; i < kTasks; ++i) {
          ASSERT_EQ(tasks.value()->at(0, 0, i).journal->received(), i + 1);
          ASSERT_FALSE(fs::exists(Snapshot("/copy", i)));
        }
        ASSERT_EQ(warnings_, "");
        fs::remove_all(folder_ + "/copy");
      });
  EXPECT_GT(stepped.states, 20u);
}

TEST_F(TaskSets, ADamagedSnapshotIsSetAside) {
  StopForAReboot();
  std::string bytes = ReadFile(Snapshot("/device", 1), 1 << 24).value();
  bytes[20] = static_cast<char>(bytes[20] ^ 0x40);  // of a size
  ASSERT_TRUE(WriteFileAtomically(Snapshot("/device", 1), bytes).ok());
  const std::unique_ptr<TaskSet> tasks = Open("/device").value();
  EXPECT_EQ(tasks->at(0, 0, 0).journal->received(), 1u);
  EXPECT_EQ(tasks->at(0, 0, 1).journal->received(), 0u);
  const std::string path = Snapshot("/device", 1);
  EXPECT_EQ(warnings_, "restoring `" + path +
                           "`: the snapshot's checksum is wrong; it is kept as `" + path +
                           ".damaged`\n");
  EXPECT_TRUE(fs::exists(path + ".damaged"));
  EXPECT_FALSE(fs::exists(path));
}

// What stands in its way is not the snapshot's fault: the start fails, and the next may do.
TEST_F(TaskSets, ASnapshotThatCannotBePutBackIsKept) {
  StopForAReboot();
  fs::create_directories(folder_ + "/device/runtime/tasks/p/0.1/work.restored/in-the-way");
  const Result<std::unique_ptr<TaskSet>> failed = Open("/device");
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("work.restored`: File exists"), std::string::npos)
      << failed.error().message;
  EXPECT_TRUE(fs::exists(Snapshot("/device", 1)));
  fs::remove_all(folder_ + "/device/runtime/tasks/p/0.1/work.restored");
  EXPECT_EQ(Open("/device").value()->at(0, 0, 1).journal->received(), 2u);
}

// What the configuration does not have any more is there with its plan, behind what it has.
TEST_F(TaskSets, TasksThatAreTooManyAreRetired) {
  Fill(*Open("/device").value());
  const std::unique_ptr<TaskSet> tasks = Open("/device", Pipelines(1)).value();
  ASSERT_EQ(tasks->pipelines().size(), 2u);
  EXPECT_FALSE(tasks->pipelines()[0].retired);
  EXPECT_TRUE(tasks->pipelines()[1].retired);
  EXPECT_EQ(tasks->pipelines()[1].fingerprint, Pipeline(2).fingerprint);
  ASSERT_EQ(tasks->tasks().size(), 2u);
  const RunningTask& retired = tasks->tasks()[1];
  EXPECT_EQ(retired.id.Name(), "p/0.1");
  EXPECT_EQ(retired.pipeline, 1u);
  EXPECT_TRUE(retired.last_stage);
  EXPECT_EQ(retired.journal->received(), 2u);
  // Of the retired pipeline the other task is its successor's; a third there is not.
  EXPECT_EQ(tasks->Find(retired, 0, 1), &retired);
  EXPECT_EQ(tasks->Find(retired, 0, 0), &tasks->tasks()[0]);
  EXPECT_EQ(tasks->Find(retired, 0, 2), nullptr);
  EXPECT_EQ(warnings_, "");
}

TEST_F(TaskSets, APipelineThatIsRemovedOverARebootComesBackToEnd) {
  StopForAReboot();
  const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
  ASSERT_EQ(tasks->tasks().size(), kTasks);
  for (std::uint32_t i = 0; i < kTasks; ++i) {
    EXPECT_EQ(tasks->tasks()[i].journal->received(), i + 1);
  }
  EXPECT_EQ(FilesIn("/device/state"), std::vector<std::string>());
  for (RunningTask& task : tasks->tasks()) ASSERT_TRUE(tasks->Remove(task).ok());
  EXPECT_EQ(FilesIn("/device/runtime"), std::vector<std::string>());
  EXPECT_EQ(warnings_, "");
}

// At each system call: a task is there whole, or on its way out, and the next one finishes it.
TEST_F(TaskSets, AKilledRemovalIsFinished) {
  Fill(*Open("/device").value());
  const testing::Stepped stepped = testing::KillAtEveryCall(
      [&] {
        const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
        for (RunningTask& task : tasks->tasks()) {
          if (!tasks->Remove(task).ok()) std::abort();
        }
      },
      folder_ + "/device",
      [&] {
        fs::copy(folder_ + "/device", folder_ + "/copy", fs::copy_options::recursive);
        const std::unique_ptr<TaskSet> tasks = Open("/copy", {}).value();
        for (RunningTask& task : tasks->tasks()) {
          ASSERT_EQ(task.journal->received(), task.id.partition + 1);
          ASSERT_TRUE(tasks->Remove(task).ok());
        }
        ASSERT_EQ(FilesIn("/copy/runtime"), std::vector<std::string>());
        ASSERT_FALSE(fs::exists(folder_ + "/copy/runtime/tasks/p"));
        ASSERT_EQ(warnings_, "");
        fs::remove_all(folder_ + "/copy");
      });
  EXPECT_GT(stepped.states, 6u);
}

// Those of a pipeline whose stages exchange other records from now on end on their own, each
// generation with its own tasks.
TEST_F(TaskSets, TasksOfOtherStagesAreSetAside) {
  Fill(*Open("/device").value());
  for (const char* field : {"room", "zone"}) {
    const std::unique_ptr<TaskSet> tasks = Open("/device", Pipelines(ByField(field))).value();
    for (RunningTask* task : {&tasks->at(0, 0, 0), &tasks->at(0, 1, 1)}) {
      EXPECT_EQ(task->journal->received(), 0u);
      ASSERT_EQ(task->journal->AppendPlan(tasks->pipelines()[0].fingerprint,
                                          tasks->pipelines()[0].encoded, Time{}),
                Appended::kDone);
    }
  }
  const std::unique_ptr<TaskSet> tasks = Open("/device").value();
  std::vector<std::string> names;
  for (const RunningTask& task : tasks->tasks()) {
    names.push_back(task.id.Name());
    EXPECT_EQ(tasks->pipelines()[task.pipeline].retired, task.id.generation != 0);
    EXPECT_EQ(task.journal->received(), task.id.generation == 1 ? task.id.partition + 1 : 0);
    EXPECT_EQ(tasks->Find(task, task.id.stage, task.id.partition), &task);
  }
  // Of the others only those that were told a plan.
  EXPECT_EQ(names, (std::vector<std::string>{"p/0.0", "p/0.1", "p@1/0.0", "p@1/0.1", "p@2/0.0",
                                             "p@2/1.1", "p@3/0.0", "p@3/1.1"}));
  EXPECT_TRUE(tasks->pipelines()[0].moved);
  EXPECT_NE(warnings_.find("its tasks go on as `p@3` until they have ended"), std::string::npos)
      << warnings_;
  for (RunningTask& task : tasks->tasks()) ASSERT_TRUE(tasks->Remove(task).ok());
  EXPECT_EQ(FilesIn("/device/runtime"), std::vector<std::string>());
}

// Without room for new ones beside them they stay as they are, and so does the earlier pipeline.
TEST_F(TaskSets, TasksAreNotSetAsideWithoutRoomForNewOnes) {
  Fill(*Open("/device").value());
  sizes_.in_ring = std::uint64_t{1} << 50;
  const Result<std::unique_ptr<TaskSet>> failed = Open("/device", Pipelines(ByField("room")));
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("so it needs new tasks beside those that it has"),
            std::string::npos)
      << failed.error().message;
  EXPECT_EQ(Open("/device").value()->at(0, 0, 1).journal->received(), 2u);
  EXPECT_EQ(warnings_, "");
}

// A start that fails leaves what it has put back for the next one, behind another reboot too.
TEST_F(TaskSets, AFailedStartKeepsTheSnapshots) {
  for (const bool changed : {true, false}) {
    StopForAReboot();
    const TaskSizes sizes = sizes_;
    sizes_.in_ring = std::uint64_t{1} << 50;
    EXPECT_FALSE(
        Open("/device", changed ? Pipelines(ByField("room")) : Pipelines(kTasks + 1)).ok());
    // Tried again and again, it writes nothing.
    const fs::file_time_type written = fs::last_write_time(Snapshot("/device", 1));
    EXPECT_FALSE(Open("/device", Pipelines(kTasks + 1)).ok());
    EXPECT_EQ(fs::last_write_time(Snapshot("/device", 1)), written);
    sizes_ = sizes;
    fs::remove_all(folder_ + "/device/runtime");
    EXPECT_EQ(Open("/device").value()->at(0, 0, 1).journal->received(), 2u);
    fs::remove_all(folder_ + "/device");
  }
}

// The same of one that fails when they are open: a program is not there, say. What is to end comes
// back with its plan.
TEST_F(TaskSets, AStartThatFailsBehindTheOpeningKeepsTheSnapshots) {
  const auto received = [this](std::vector<RunningPipeline> pipelines) {
    const std::unique_ptr<TaskSet> tasks = Open("/device", std::move(pipelines)).value();
    std::uint64_t sum = 0;
    for (const RunningTask& task : tasks->tasks()) sum += task.journal->received();
    return sum;
  };
  const std::vector<std::function<std::vector<RunningPipeline>()>> starts = {
      [this] { return Pipelines(kTasks); },
      [] { return std::vector<RunningPipeline>(); },
      [this] { return Pipelines(ByField("room")); },
  };
  for (const auto& pipelines : starts) {
    StopForAReboot();
    begins_ = false;
    for (int times = 0; times < 2; ++times) {
      EXPECT_EQ(received(pipelines()), 3u);
      const auto written = TimesOf("/device/state");
      EXPECT_EQ(received(pipelines()), 3u);
      EXPECT_EQ(TimesOf("/device/state"), written);
      fs::remove_all(folder_ + "/device/runtime");
    }
    begins_ = true;
    EXPECT_EQ(received(pipelines()), 3u);
    fs::remove_all(folder_ + "/device");
  }
  EXPECT_EQ(warnings_.find("kept"), std::string::npos) << warnings_;
}

// Nothing can be said of a plan that is lost: they are set aside and kept.
TEST_F(TaskSets, TasksOfALostPlanAreSetAsideAndKept) {
  Fill(*Open("/device", Pipelines(ByField("room"))).value());
  fs::remove_all(folder_ + "/device/runtime/plans");
  EXPECT_EQ(Open("/device", Pipelines(ByField("zone"))).value()->tasks().size(), 4u);
  EXPECT_NE(
      warnings_.find("`p@1/0.0` is a task that no pipeline has any more; it is kept as it is, "
                     "with all of `p@1`: its plan: "),
      std::string::npos)
      << warnings_;
}

// A record for a task of the next stage that is not there goes to another one that ends.
TEST_F(TaskSets, ATaskThatIsNotThereHasAStandIn) {
  const auto tell = [](TaskSet& tasks, std::size_t stage, std::uint32_t partition) {
    ASSERT_EQ(tasks.at(0, stage, partition)
                  .journal->AppendPlan(tasks.pipelines()[0].fingerprint,
                                       tasks.pipelines()[0].encoded, Time{}),
              Appended::kDone);
  };
  {
    const std::unique_ptr<TaskSet> tasks = Open("/device", Pipelines(ByField("room"))).value();
    tell(*tasks, 0, 0);
    tell(*tasks, 1, 1);
  }
  const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
  ASSERT_EQ(tasks->tasks().size(), 2u);
  const RunningTask& source = tasks->tasks()[0];
  EXPECT_EQ(tasks->Find(source, 1, 0), nullptr);
  for (const std::uint64_t hash : {0U, 1U, 7U}) {
    EXPECT_EQ(tasks->StandIn(source, 1, hash), &tasks->tasks()[1]);
  }
  EXPECT_EQ(tasks->StandIn(source, 2, 0), nullptr);
}

// What is exchanged is the same: they go over to the changed plan.
TEST_F(TaskSets, TasksOfTheSameStagesAreKept) {
  Fill(*Open("/device").value());
  std::string text(kPipeline);
  text += "steps: [ filter: value > 0 ]\n";
  EXPECT_EQ(Open("/device", Pipelines(text)).value()->at(0, 0, 1).journal->received(), 2u);
  EXPECT_EQ(warnings_, "");
}

// Over a reboot, and killed at each system call: all of them are set aside together, once.
TEST_F(TaskSets, AKilledStartSetsAllAsideTogether) {
  StopForAReboot();
  const testing::Stepped stepped = testing::KillAtEveryCall(
      [&] {
        if (!Open("/device", Pipelines(ByField("room"))).ok()) std::abort();
      },
      folder_ + "/device",
      [&] {
        fs::copy(folder_ + "/device", folder_ + "/copy", fs::copy_options::recursive);
        const std::unique_ptr<TaskSet> tasks = Open("/copy", Pipelines(ByField("room"))).value();
        ASSERT_EQ(tasks->tasks().size(), 4 + kTasks);
        for (std::uint32_t i = 0; i < kTasks; ++i) {
          const RunningTask& aside = tasks->tasks()[4 + i];
          ASSERT_EQ(aside.id.Name(), "p@1/0." + std::to_string(i));
          ASSERT_EQ(aside.journal->received(), i + 1);
          ASSERT_EQ(tasks->at(0, 0, i).journal->received(), 0u);
        }
        fs::remove_all(folder_ + "/copy");
      });
  EXPECT_GT(stepped.states, 20u);
}

// Those of a generation send to each other: while one waits for room, so do all.
TEST_F(TaskSets, TasksThatEndAreOpenedTogether) {
  StopForAReboot();
  fs::create_directories(folder_ + "/device/runtime/tasks/p/0.1/work.restored/in-the-way");
  {
    const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
    EXPECT_EQ(tasks->tasks().size(), 0u);
    EXPECT_EQ(tasks->pipelines().size(), 0u);
    EXPECT_NE(warnings_.find("`p/0.1` is a task that no pipeline has any more; it is kept"),
              std::string::npos)
        << warnings_;
  }
  fs::remove_all(folder_ + "/device/runtime/tasks/p/0.1/work.restored");
  const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
  ASSERT_EQ(tasks->tasks().size(), kTasks);
  for (std::uint32_t i = 0; i < kTasks; ++i) {
    EXPECT_EQ(tasks->tasks()[i].journal->received(), i + 1);
  }
}

TEST_F(TaskSets, ATaskWithoutItsPlanIsKept) {
  Fill(*Open("/device").value());
  const std::string plans = folder_ + "/device/runtime/plans/p";
  std::string plan;
  for (const auto& entry : fs::directory_iterator(plans)) plan = entry.path();
  const std::string right = ReadFile(plan, 1 << 20).value();
  const std::vector<std::string> before = FilesIn("/device/runtime");
  for (const std::string& wrong : {right.substr(0, right.size() / 2), Pipeline(3).encoded}) {
    warnings_.clear();
    ASSERT_TRUE(WriteFileAtomically(plan, wrong).ok());
    EXPECT_EQ(Open("/device", {}).value()->tasks().size(), 0u);
    EXPECT_EQ(FilesIn("/device/runtime"), before);
    EXPECT_NE(
        warnings_.find("`p/0.0` is a task that no pipeline has any more; it is kept as it is:"),
        std::string::npos)
        << warnings_;
  }
  EXPECT_NE(warnings_.find("the plan that is kept for it is not its own"), std::string::npos)
      << warnings_;
  ASSERT_TRUE(WriteFileAtomically(plan, right).ok());
  EXPECT_EQ(Open("/device", {}).value()->tasks().size(), kTasks);
  fs::remove(plan);
  warnings_.clear();
  EXPECT_EQ(Open("/device", {}).value()->tasks().size(), 0u);
  EXPECT_NE(warnings_.find("its plan: "), std::string::npos) << warnings_;
  // It is its own again where the pipeline is.
  EXPECT_EQ(Open("/device").value()->at(0, 0, 1).journal->received(), 2u);
}

TEST_F(TaskSets, ATaskThatWasNeverToldAnythingIsRemoved) {
  ASSERT_TRUE(Open("/device").ok());
  EXPECT_EQ(Open("/device", {}).value()->tasks().size(), 0u);
  EXPECT_EQ(FilesIn("/device/runtime"), std::vector<std::string>());
  EXPECT_EQ(warnings_, "");
}

}  // namespace
}  // namespace runnel
