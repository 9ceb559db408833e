// What is saved and what is counted of tasks, over starts that fail and tasks that end.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "daemon/journal/pipeline_report.h"
#include "daemon/posix/files.h"
#include "tests/daemon/ingest/task_set_fixture.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

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

// One of the pipeline's tasks ends: at each system call its counts are in the ledger, once.
TEST_F(TaskSets, WhatHasEndedStaysInTheLedger) {
  constexpr std::uint64_t kReceived = 3;
  Fill(*Open("/device").value());
  const auto received = [this](const std::string& where) {
    std::string problem;
    const PipelineReport report = ReadPipelineReport(folder_ + where + "/runtime/tasks/p", problem);
    EXPECT_EQ(problem, "");
    return report.received;
  };
  const auto end = [this](const std::string& where) {
    const std::unique_ptr<TaskSet> tasks = Open(where, Pipelines(1)).value();
    if (tasks->tasks().size() > 1 && !tasks->Remove(tasks->tasks()[1]).ok()) std::abort();
  };
  const testing::Stepped stepped = testing::KillAtEveryCall(
      [&] { end("/device"); }, folder_ + "/device",
      [&] {
        ASSERT_EQ(received("/device"), kReceived);
        fs::copy(folder_ + "/device", folder_ + "/copy", fs::copy_options::recursive);
        end("/copy");
        ASSERT_EQ(received("/copy"), kReceived);
        fs::remove_all(folder_ + "/copy");
      });
  EXPECT_GT(stepped.states, 6u);
  // The same partition comes, counts and ends once more; then a reboot.
  end("/device");
  {
    const std::unique_ptr<TaskSet> again = Open("/device").value();
    InJournal& journal = *again->at(0, 0, 1).journal;
    const RunningPipeline& pipeline = again->pipelines()[0];
    ASSERT_EQ(journal.AppendPlan(pipeline.fingerprint, pipeline.encoded, Time{}), Appended::kDone);
    ASSERT_EQ(journal.AppendMessage("in/d", "payload", Time{}, {}), Appended::kDone);
  }
  EXPECT_EQ(received("/device"), kReceived + 1);
  end("/device");
  EXPECT_EQ(received("/device"), kReceived + 1);
  ASSERT_TRUE(SaveTasks(folder_ + "/device/runtime", folder_ + "/device/state").ok());
  fs::remove_all(folder_ + "/device/runtime");
  ASSERT_TRUE(Open("/device", Pipelines(1)).ok());
  EXPECT_EQ(received("/device"), kReceived + 1);
  // Where the pipeline itself ends nothing is left.
  const std::unique_ptr<TaskSet> tasks = Open("/device", {}).value();
  for (RunningTask& task : tasks->tasks()) ASSERT_TRUE(tasks->Remove(task).ok());
  EXPECT_EQ(FilesIn("/device/runtime"), std::vector<std::string>());
}

// A damaged file of counts is said, and replaced by the next one.
TEST_F(TaskSets, DamagedCountsOfWhatHasEndedAreSaid) {
  const std::unique_ptr<TaskSet> tasks = Open("/device").value();
  Fill(*tasks);
  const std::string folder = folder_ + "/device/runtime/tasks/p";
  ASSERT_TRUE(WriteFileAtomically(folder + "/ended", "counts").ok());
  std::string problem;
  EXPECT_EQ(ReadPipelineReport(folder, problem).received, 3u);
  EXPECT_EQ(problem,
            "`" + folder + "/ended` is damaged: the counts of tasks that have ended are lost");
  ASSERT_TRUE(tasks->Remove(tasks->tasks()[0]).ok());
  problem.clear();
  EXPECT_EQ(ReadPipelineReport(folder, problem).received, 3u);
  EXPECT_EQ(problem, "");
}

}  // namespace
}  // namespace runnel
