#include "daemon/ingest/task_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/posix/files.h"
#include "tests/daemon/ingest/task_set_fixture.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

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
