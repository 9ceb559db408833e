// How time, pauses and what follows come to tasks whose journals are full or not read.
#include <gtest/gtest.h>

#include <asio.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "daemon/journal/ring.h"
#include "daemon/mqtt/paho_control.h"
#include "daemon/posix/doorbell.h"
#include "daemon/posix/mapping.h"
#include "daemon/service/source.h"
#include "daemon/service/ticker.h"
#include "tests/daemon/ingest/task_set_fixture.h"

namespace runnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A task as its worker has it in its hands: reads inputs, says what it has read and wants.
class Worker final {
 public:
  explicit Worker(const RunningTask& task)
      : ring_bytes_(task.files.in_header.ring_bytes), head_(task.journal.get()) {
    const InLayout layout = LayoutOfIn(task.files.in_header);
    ring_ = Mapping::MapTwice(task.files.in.get(), layout.ring, ring_bytes_, Access::kRead).value();
    page_ = Mapping::Map(task.files.work.get(), 0, RoundToPage(sizeof(WorkPage)), Access::kWrite)
                .value();
  }

  void Wants(Time tick) { page().deadline.store(Microseconds(tick)); }
  // All inputs that it has not seen; they are consumed and need no room any more.
  std::vector<InputKind> ReadAll() {
    const std::atomic<std::uint64_t> head = head_->end();
    RingReader reader(ring_.data(), ring_bytes_, head, seen_, ring_bytes_);
    std::vector<InputKind> kinds;
    RecordView record;
    while (reader.Peek(record) == RingReader::Found::kRecord) {
      kinds.push_back(static_cast<InputKind>(record.header.kind));
      reader.Pass(record);
    }
    seen_ = head;
    page().consumed.store(seen_);
    page().reclaim.store(seen_);
    return kinds;
  }

 private:
  WorkPage& page() { return *reinterpret_cast<WorkPage*>(page_.data()); }

  std::uint64_t ring_bytes_;
  const InJournal* head_;
  Mapping ring_;
  Mapping page_;
  std::uint64_t seen_ = 0;
};

class TimeTest : public TaskSets {
 protected:
  TimeTest() : tasks_(Open("/device", Pipelines(1)).value()), task_(&tasks_->tasks()[0]) {
    options_.now = [this] { return now_; };
    options_.on_tick = [] {};
  }

  void FillJournal() {
    const std::string payload(200, 'x');
    while (task_->journal->AppendMessage("in/d", payload, now_, {}) == Appended::kDone) {
    }
    while (task_->journal->AppendTime(InputKind::kTick, now_) == Appended::kDone) {
    }
  }

  Time now_ = TimeFromMicroseconds(1'700'000'000'000'000);
  std::unique_ptr<TaskSet> tasks_;
  RunningTask* task_;
  asio::io_context loop_;
  SleepWord awake_{};
  Doorbell bell_ = Doorbell::Create().value();
  Ringer ringer_{awake_, bell_};
  Ticker::Options options_;
};

TEST_F(TimeTest, ATaskIsNotTickedAgainBeforeItHasReadTheLastTick) {
  Worker worker(*task_);
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  worker.Wants(now_);
  ticker.Run();
  // It does not get on, and still wants what it wanted.
  for (int i = 0; i < 100; ++i) {
    now_ += seconds(1);
    ticker.Run();
  }
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kTick});
  ticker.Run();
  now_ += seconds(1);
  ticker.Run();
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kTick});
}

TEST_F(TimeTest, ATaskIsTickedWhenItsJournalHasRoomAgain) {
  Worker worker(*task_);
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  FillJournal();
  worker.Wants(now_);
  ticker.Run();
  worker.ReadAll();
  now_ += seconds(1);
  loop_.run_one_for(seconds(30));  // the ticker's own timer, though nobody rings
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kTick});
}

TEST_F(TimeTest, APauseThatFoundNoRoomIsToldLaterAndOnce) {
  Worker worker(*task_);
  Log log(Log::Style::kPlain);
  PahoControl control;
  Doorbell room = Doorbell::Create().value();
  Source::Options options;
  options.broker = "b";
  options.mqtt.urls = {"mqtt://127.0.0.1:1"};
  options.mqtt.client_id = "time-test";
  options.session.pipelines = {0};
  options.dispatcher.now = [this] { return now_; };
  options.dispatcher.room_bell = &room;
  auto source = Source::Create(loop_, control, *tasks_, {&ringer_}, log, options).value();
  FillJournal();
  source->Hold(true);
  worker.ReadAll();
  EXPECT_EQ(worker.ReadAll(), std::vector<InputKind>{});
  // What asks again, and its timer.
  for (int i = 0; i < 2; ++i) loop_.run_one_for(seconds(30));
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kPause});
  EXPECT_EQ(loop_.run_for(milliseconds(0)), 0U);
  EXPECT_EQ(worker.ReadAll(), std::vector<InputKind>{});
}

}  // namespace
}  // namespace runnel
