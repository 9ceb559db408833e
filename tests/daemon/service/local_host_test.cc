#include "daemon/service/local_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_set.h"
#include "daemon/posix/files.h"
#include "daemon/service/switchboard.h"
#include "daemon/workers/protocol.h"

namespace runnel {
namespace {

constexpr std::uint32_t kTasks = 8;
constexpr char kWindows[] = R"(
source: { mqtt: { topic: "in/{device}" } }
decode: json
partitions: 8
steps:
  - window: { tumbling: 1h, key: device, aggregate: { n: count() } }
sink: { mqtt: { topic: "out/{device}" } }
)";
// A message may take long.
constexpr char kSlow[] = R"(
source: { mqtt: { topic: "in/{device}" } }
decode: json
partitions: 8
steps:
  - filter: v.all(x, x >= 0)
  - window: { tumbling: 1h, key: device, aggregate: { n: count() } }
sink: { mqtt: { topic: "out/{device}" } }
)";
// Each message is a result, and nobody takes them.
constexpr char kResults[] = R"(
source: { mqtt: { topic: "in/{device}" } }
decode: json
partitions: 8
sink: { mqtt: { topic: "out/{device}" } }
)";

// Nothing here sleeps; a condition that does not come is a failure.
bool Await(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// The daemon's side of eight tasks, and a host of all of them on a thread.
class Hosting : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/runnel-host-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    Result<std::unique_ptr<Switchboard>> board = Switchboard::Create(1);
    ASSERT_TRUE(board.ok());
    board_ = std::move(board).value();
  }
  void TearDown() override {
    host_.reset();
    tasks_.reset();
    std::filesystem::remove_all(folder_);
  }

  void OpenTasks(const char* pipeline_text) {
    Diagnostics diagnostics;
    std::optional<PipelineFile> file = ReadPipeline(pipeline_text, "p.yaml", {}, {}, diagnostics);
    ASSERT_TRUE(file.has_value()) << diagnostics.Format();
    Registry registry;
    RegisterAll(registry);
    std::vector<RunningPipeline> pipelines(1);
    pipelines[0].plan = CompilePlan(file->root, "p", registry, {}, diagnostics);
    ASSERT_NE(pipelines[0].plan, nullptr) << diagnostics.Format();
    pipelines[0].encoded = file->root.Encode();
    pipelines[0].fingerprint = pipelines[0].plan->fingerprint();
    TaskSetOptions options;
    options.runtime = folder_;
    options.state = folder_ + "/state";
    options.incarnation = 1;
    options.warn = [](const std::string& text) { ADD_FAILURE() << text; };
    Result<std::unique_ptr<TaskSet>> tasks = TaskSet::Open(std::move(pipelines), options);
    ASSERT_TRUE(tasks.ok()) << tasks.error().message;
    tasks_ = std::move(tasks).value();
  }

  // Starts the host; the tasks from `counted` on are not among those that are counted.
  void Start(std::size_t counted, const char* pipeline_text = kWindows) {
    OpenTasks(pipeline_text);
    tasks_->CountAppends(board_->append_counts().first(counted));
    const RunningPipeline& pipeline = tasks_->pipelines()[0];
    for (const RunningTask& task : tasks_->tasks()) {
      task.journal->AppendPlan(pipeline.fingerprint, pipeline.encoded, Time{});
    }
    Assignment assignment;
    assignment.links = board_->LinksOfWorker(0).value();
    for (const RunningTask& task : tasks_->tasks()) {
      TaskDescriptors files;
      files.in = OpenFile(task.folder + "/in", O_RDONLY).value();
      files.work = OpenFile(task.folder + "/work", O_RDWR).value();
      files.settle = OpenFile(task.folder + "/settle", O_RDONLY).value();
      TaskSettings settings;
      settings.id = task.id;
      settings.appends = task.appends < counted ? task.appends : DaemonPage::kTasksMax;
      assignment.tasks.push_back({std::move(settings), std::move(files)});
    }
    Result<std::unique_ptr<LocalHost>> host = LocalHost::Start(
        std::move(assignment), [](const Error& error) { ADD_FAILURE() << error.message; });
    ASSERT_TRUE(host.ok()) << host.error().message;
    host_ = std::move(host).value();
    for (std::uint32_t i = 0; i < kTasks; ++i) ASSERT_TRUE(Await([&] { return Drained(i); }));
  }

  bool Drained(std::uint32_t task) { return tasks_->at(0, 0, task).journal->Drained(); }
  std::uint64_t MessagesOf(std::uint32_t task) {
    return tasks_->at(0, 0, task).journal->checkpoint().ledger.messages;
  }
  void Append(std::uint32_t task, std::chrono::nanoseconds delay) {
    InJournal& journal = *tasks_->at(0, 0, task).journal;
    ASSERT_TRUE(Await([&] {
      return journal.AppendMessage("in/d", R"({"v":1})", Time{}, {}) == Appended::kDone;
    }));
    board_->worker_ringer(0).Notify(delay);
  }

  std::string folder_;
  std::unique_ptr<TaskSet> tasks_;
  std::unique_ptr<Switchboard> board_;
  std::unique_ptr<LocalHost> host_;
};

TEST_F(Hosting, ATaskAtRestIsHeardOf) {
  Start(kTasks);
  for (std::uint64_t round = 1; round <= 20; ++round) {
    for (std::uint32_t task = 0; task < kTasks; ++task) {
      ASSERT_TRUE(Await([&] { return board_->WorkerSleeps(0); }));
      Append(task, {});
      ASSERT_TRUE(Await([&] { return Drained(task); })) << "task " << task;
      ASSERT_EQ(MessagesOf(task), round);
    }
  }
}

TEST_F(Hosting, ATaskThatNobodyCountsIsHeardOfToo) {
  Start(kTasks / 2);
  for (std::uint32_t task = kTasks; task-- > 0;) {
    ASSERT_TRUE(Await([&] { return board_->WorkerSleeps(0); }));
    Append(task, {});
    ASSERT_TRUE(Await([&] { return Drained(task); })) << "task " << task;
  }
}

// Records come at every moment of a host that goes to sleep and wakes up.
TEST_F(Hosting, NoRecordIsLeftWhereSeveralThreadsAppend) {
  constexpr int kEach = 3'000;
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Start(kTasks - 1);
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < 2; ++writer) {
    threads.emplace_back([this, random = std::mt19937(seed + writer)]() mutable {
      for (int i = 0; i < kEach; ++i) {
        Append(static_cast<std::uint32_t>(random() % kTasks),
               std::chrono::microseconds(random() % 3 * 20));
        for (auto pause = random() % 2'000; pause > 0; --pause) asm volatile("");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t messages = 0;
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    EXPECT_TRUE(Await([&] { return Drained(task); })) << "task " << task;
    messages += MessagesOf(task);
  }
  EXPECT_EQ(messages, 2U * kEach);
}

// Its inputs are free, and a source that drops what finds no room has it.
TEST_F(Hosting, ATaskThatIsBlockedHasCheckpointedWhatItDid) {
  Start(kTasks, kResults);
  InJournal& journal = *tasks_->at(0, 0, 0).journal;
  const std::string payload = R"({"v":")" + std::string(2'000, 'x') + "\"}";
  ASSERT_TRUE(Await([&] { return board_->WorkerSleeps(0); }));
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(journal.AppendMessage("in/d", payload, Time{}, {}), Appended::kDone);
  }
  board_->worker_ringer(0).Notify({});
  ASSERT_TRUE(Await([&] { return journal.WaitsForRoom() && board_->WorkerSleeps(0); }));
  EXPECT_GT(journal.consumed(), 0U);
  EXPECT_LT(journal.consumed(), journal.end());
  EXPECT_EQ(journal.checkpoint().in_position, journal.consumed());
}

// Others that always have something to do keep the host from its sleep, where it says so otherwise.
// What they have lasts for longer than the thread that brings it may have to wait for its turn.
class BusyHosting : public Hosting, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(BusyHosting, ATaskSaysWhenItWantsTimeAlsoWhereTheHostNeverSleeps) {
  Start(GetParam(), kSlow);
  std::string slow = R"({"v":[0)";
  for (int i = 0; i < 1'000; ++i) slow += ",1";
  slow += "]}";
  std::atomic<int> rounds{0};
  std::atomic<bool> enough{false};
  std::thread busy([&] {
    for (; !enough; ++rounds) {
      for (std::uint32_t task = 0; task + 1 < kTasks; ++task) {
        InJournal& journal = *tasks_->at(0, 0, task).journal;
        while (journal.AppendMessage("in/d", slow, Time{}, {}) == Appended::kDone) continue;
      }
      board_->worker_ringer(0).Notify({});
    }
  });
  const InJournal& other = *tasks_->at(0, 0, kTasks - 1).journal;
  EXPECT_FALSE(other.Deadline().has_value());
  EXPECT_TRUE(Await([&] { return rounds > 2 && !board_->WorkerSleeps(0); }));
  EXPECT_EQ(tasks_->at(0, 0, kTasks - 1).journal->AppendMessage("in/d", R"({"v":[1]})", Time{}, {}),
            Appended::kDone);
  board_->worker_ringer(0).Notify({});
  EXPECT_TRUE(Await([&] { return other.Deadline().has_value(); }));
  enough = true;
  busy.join();
}

// All are counted, or the last one is not.
INSTANTIATE_TEST_SUITE_P(Counted, BusyHosting, ::testing::Values(kTasks, kTasks - 1));

// Also where the host has freed it in the middle of its turns, up to the last record.
TEST_F(Hosting, ASourceThatWaitsForRoomIsRung) {
  Start(kTasks);
  InJournal& journal = *tasks_->at(0, 0, 0).journal;
  const std::string payload = R"({"v":")" + std::string(40'000, 'x') + "\"}";
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(Await([&] { return board_->WorkerSleeps(0); }));
    board_->room_bell().Clear();
    journal.StartWaiting(kSourceWaits);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(journal.AppendMessage("in/d", payload, Time{}, {}), Appended::kDone);
    }
    board_->worker_ringer(0).Notify({});
    std::array<pollfd, 2> bell = board_->room_bell().sources();
    EXPECT_GT(poll(bell.data(), bell.size(), 20'000), 0);
    journal.StopWaiting(kSourceWaits);
  }
}

}  // namespace
}  // namespace runnel
