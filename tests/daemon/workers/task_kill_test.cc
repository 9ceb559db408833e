// A kill -9 of a worker at each instruction of a task: what it does for records, for a
// checkpoint, for a changed plan, and for taking over from one that was killed itself.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/journal/in_journal.h"
#include "daemon/journal/out_reader.h"
#include "daemon/posix/files.h"
#include "daemon/workers/task.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;
using testing::KillAtEveryStep;
using testing::Stepped;

// One that differs in `topic` alone goes on with the windows that are open.
std::string Minutes(const std::string& topic) {
  return R"(
source: { mqtt: { topic: "in/{device}" } }
timestamp: ts
steps:
  - filter: value > 0
  - window: { tumbling: 1m, key: device, aggregate: { n: count(), max: max(value) } }
sink: { mqtt: { topic: ")" +
         topic + "\" } }\n";
}
// Windows that are open are emitted.
constexpr char kHours[] = R"(
source: { mqtt: { topic: "in/{device}" } }
timestamp: ts
steps:
  - window: { tumbling: 1h, key: device, aggregate: { n: count() } }
sink: { mqtt: { topic: "out/{device}" } }
)";

// One task that has done all: what there must be to see, however often it was killed.
struct Done {
  std::vector<std::string> outputs;
  std::string ledger;
  std::uint64_t states_lost = 0;
  bool operator==(const Done&) const = default;
};

void PrintTo(const Done& done, std::ostream* out) {
  for (const std::string& output : done.outputs) *out << "\n  " << output;
  *out << "\n  " << done.ledger << " lost " << done.states_lost;
}

constexpr std::int64_t kStart = 1'700'000'040'000;  // ms; a full minute

class TaskKill : public ::testing::Test {
 protected:
  TaskKill() {
    char pattern[] = "/tmp/runnel-task-kill-XXXXXX";
    folder_ = mkdtemp(pattern);
    RegisterAll(registry_);
    // Large blocks come zeroed from the kernel, always: to zero a megabyte in steps of one
    // instruction takes a minute.
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    plans_ = std::make_shared<PlanCache>(registry_, PlanLimits{});
    sizes_.in_ring = 16 * 1024;
    sizes_.out_ring = 16 * 1024;
    sizes_.redelivery = 8;
    sizes_.state = 128 * 1024;
    files_ = TaskFiles::Prepare(folder_ + "/task", sizes_, 1).value();
    journal_ = InJournal::Open(files_, {}).value();
  }
  ~TaskKill() override { fs::remove_all(folder_); }

  void AppendPlan(const std::string& text) {
    Diagnostics diagnostics;
    const std::optional<PipelineFile> file = ReadPipeline(text, "p.yaml", {}, {}, diagnostics);
    ASSERT_TRUE(file.has_value()) << diagnostics.Format();
    const std::string encoded = file->root.Encode();
    // Compiled here, and kept, so that a child need not do it in single steps.
    loaded_.push_back(plans_->Get("p", encoded).value());
    ASSERT_EQ(journal_->AppendPlan(loaded_.back()->plan().fingerprint(), encoded, Time{}),
              Appended::kDone);
  }
  void Append(const std::string& device, int seconds, const std::string& value) {
    const std::string ts = std::to_string(kStart + seconds * 1000);
    ASSERT_EQ(journal_->AppendMessage("in/" + device, "{\"ts\":" + ts + ",\"value\":" + value + "}",
                                      TimeFromMicroseconds((kStart + 200'000) * 1000), {}),
              Appended::kDone);
  }

  std::unique_ptr<Task> Open(const std::string& folder) const {
    TaskDescriptors files;
    files.in = OpenFile(folder + "/in", O_RDONLY).value();
    files.work = OpenFile(folder + "/work", O_RDWR).value();
    files.settle = OpenFile(folder + "/settle", O_RDONLY).value();
    return Task::Open({"p", 0, 0}, std::move(files), plans_, {}).value();
  }
  // All that there is to do, with a checkpoint behind every third turn.
  static void DoAll(Task& task) {
    for (;;) {
      const Result<Task::Progress> progress = task.Run(3);
      if (!progress.ok()) std::abort();
      task.Checkpoint();
      if (progress.value() != Task::Progress::kWorked && !task.CanWork()) return;
    }
  }
  static Done WhatIsDone(const std::string& folder) {
    Done done;
    const Fd work = OpenFile(folder + "/work", O_RDONLY).value();
    const Fd settle = OpenFile(folder + "/settle", O_RDWR).value();
    const std::unique_ptr<OutReader> reader = OutReader::Open(work.get(), settle.get()).value();
    RecordView output;
    while (reader->Next(output) == RingReader::Found::kRecord) {
      done.outputs.push_back(std::to_string(output.header.sequence) + " " +
                             std::string(output.topic) + " " + std::string(output.payload));
    }
    const Mapping page = Mapping::Map(work.get(), 0, PageSize(), Access::kRead).value();
    const CheckpointSlot last = CurrentCheckpoint(*reinterpret_cast<const WorkPage*>(page.data()));
    const Ledger& ledger = last.ledger;
    done.ledger = std::to_string(ledger.messages) + " messages " + std::to_string(ledger.filtered) +
                  " filtered " + std::to_string(ledger.absorbed) + " absorbed " +
                  std::to_string(ledger.dead_lettered) + " dead-lettered " +
                  std::to_string(ledger.results) + " results";
    done.states_lost = last.states_lost;
    return done;
  }

  // The daemon overwrites what is before `reclaim`.
  static bool FreesOnlyWhatIsInACheckpoint(const std::string& folder) {
    const Fd work = OpenFile(folder + "/work", O_RDONLY).value();
    const Mapping mapped = Mapping::Map(work.get(), 0, PageSize(), Access::kRead).value();
    const auto& page = *reinterpret_cast<const WorkPage*>(mapped.data());
    return page.reclaim.load() <= CurrentCheckpoint(page).in_position;
  }

  // What is done where nobody is killed.
  Done Undisturbed() {
    fs::copy(folder_ + "/task", folder_ + "/undisturbed");
    DoAll(*Open(folder_ + "/undisturbed"));
    return WhatIsDone(folder_ + "/undisturbed");
  }
  // A task opens the files and does all, killed at each instruction; a successor each time.
  Stepped KillTheTask(const Done& expected) {
    const Mapping work =
        Mapping::Map(files_.work.get(), 0, LayoutOfWork(files_.work_header).size, Access::kRead)
            .value();
    const std::string copy = folder_ + "/copy";
    return KillAtEveryStep({[&] { DoAll(*Open(folder_ + "/task")); },
                            {{work.data(), work.size()}},
                            [&] {
                              fs::copy(folder_ + "/task", copy);
                              ASSERT_TRUE(FreesOnlyWhatIsInACheckpoint(copy));
                              DoAll(*Open(copy));
                              ASSERT_EQ(WhatIsDone(copy), expected);
                              fs::remove_all(copy);
                            }});
  }

  std::string folder_;
  Registry registry_;
  std::shared_ptr<PlanCache> plans_;
  std::vector<std::shared_ptr<LoadedPlan>> loaded_;
  TaskSizes sizes_;
  TaskFiles files_;
  std::unique_ptr<InJournal> journal_;
};

TEST_F(TaskKill, RecordsAndCheckpoints) {
  AppendPlan(Minutes("out/{device}"));
  Append("a", 0, "5");
  Append("b", 1, "7");
  Append("a", 2, "-1");  // filtered
  Append("a", 59, "6");
  Append("b", 61, "{oops");  // a dead letter
  Append("b", 62, "8");      // closes the first window of b
  Append("a", 130, "9");     // and of a
  const Done expected = Undisturbed();
  ASSERT_EQ(expected.outputs.size(), 3u) << ::testing::PrintToString(expected);
  const Stepped stepped = KillTheTask(expected);
  EXPECT_GT(stepped.states, 200u) << stepped.steps << " instructions";
}

// The one before was killed with lines of its state changed and results written that no
// checkpoint has; now the one that puts it right is killed.
TEST_F(TaskKill, TakingOver) {
  AppendPlan(Minutes("out/{device}"));
  Append("a", 0, "5");
  Append("b", 1, "7");
  Append("b", 70, "8");
  Append("a", 130, "9");
  const Done expected = Undisturbed();
  ASSERT_EQ(expected.outputs.size(), 2u) << ::testing::PrintToString(expected);
  {
    const std::unique_ptr<Task> killed = Open(folder_ + "/task");
    ASSERT_TRUE(killed->Run(2).ok());
    killed->Checkpoint();
    ASSERT_TRUE(killed->Run(100).ok());
  }
  const Stepped stepped = KillTheTask(expected);
  EXPECT_GT(stepped.states, 100u) << stepped.steps << " instructions";
}

TEST_F(TaskKill, AChangedPlanThatKeepsItsWindows) {
  AppendPlan(Minutes("out/{device}"));
  Append("a", 0, "5");
  Append("b", 1, "7");
  AppendPlan(Minutes("elsewhere/{device}"));
  Append("a", 2, "6");
  Append("a", 61, "6");
  Append("b", 61, "6");
  const Done expected = Undisturbed();
  ASSERT_EQ(expected.outputs.size(), 2u) << ::testing::PrintToString(expected);
  ASSERT_NE(expected.outputs[0].find(R"("n":2)"), std::string::npos);
  const Stepped stepped = KillTheTask(expected);
  EXPECT_GT(stepped.states, 200u) << stepped.steps << " instructions";
}

TEST_F(TaskKill, AChangedPlanThatEmitsItsWindows) {
  AppendPlan(Minutes("out/{device}"));
  Append("a", 0, "5");
  Append("b", 1, "7");
  Append("c", 1, "7");
  AppendPlan(kHours);
  Append("a", 2, "6");
  Append("a", 3601, "6");
  const Done expected = Undisturbed();
  ASSERT_EQ(expected.outputs.size(), 4u) << ::testing::PrintToString(expected);
  const Stepped stepped = KillTheTask(expected);
  EXPECT_GT(stepped.states, 200u) << stepped.steps << " instructions";
}

}  // namespace
}  // namespace runnel
