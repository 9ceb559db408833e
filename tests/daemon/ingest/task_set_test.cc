#include "daemon/ingest/task_set.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/posix/files.h"
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

class TaskSets : public ::testing::Test {
 protected:
  TaskSets() {
    char pattern[] = "/tmp/runnel-task-set-XXXXXX";
    folder_ = mkdtemp(pattern);
    Diagnostics diagnostics;
    RegisterAll(registry_);
    file_ = ReadPipeline(kPipeline, "p.yaml", {}, {}, diagnostics);
    EXPECT_TRUE(file_.has_value()) << diagnostics.Format();
  }
  ~TaskSets() override { fs::remove_all(folder_); }

  // Of `where`, which has the runtime folder and the state.
  Result<std::unique_ptr<TaskSet>> Open(const std::string& where) {
    Diagnostics diagnostics;
    std::vector<RunningPipeline> pipelines(1);
    pipelines[0].plan = CompilePlan(file_->root, "p", registry_, {}, diagnostics);
    TaskSetOptions options;
    options.runtime = folder_ + where + "/runtime";
    options.state = folder_ + where + "/state";
    options.incarnation = 1;
    options.sizes.in_ring = 64 * 1024;
    options.sizes.out_ring = 64 * 1024;
    options.sizes.state = 64 * 1024;
    options.warn = [this](const std::string& text) { warnings_ += text + "\n"; };
    return TaskSet::Open(std::move(pipelines), options);
  }
  // A daemon that has got something and was stopped; the machine starts again.
  void StopForAReboot() {
    const std::unique_ptr<TaskSet> tasks = Open("/device").value();
    for (std::uint32_t i = 0; i < kTasks; ++i) {
      for (std::uint32_t message = 0; message <= i; ++message) {
        ASSERT_EQ(tasks->at(0, 0, i).journal->AppendMessage("in/d", "payload", Time{}, {}),
                  Appended::kDone);
      }
    }
    ASSERT_TRUE(tasks->SaveAll(folder_ + "/device/state").ok());
    fs::remove_all(folder_ + "/device/runtime");
  }
  std::string Snapshot(const std::string& where, std::uint32_t task) const {
    return SnapshotPath(folder_ + where + "/state", {"p", 0, task});
  }

  std::string folder_;
  Registry registry_;
  std::optional<PipelineFile> file_;
  std::string warnings_;
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

}  // namespace
}  // namespace runnel
