// How time, pauses and what follows come to tasks, also those whose journals are full or not read.
#include <gtest/gtest.h>

#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstring>
#include <map>
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
  std::vector<InputKind> ReadAll() { return ReadAll(head_->end()); }
  std::vector<InputKind> ReadAll(std::uint64_t end) {
    const std::atomic<std::uint64_t> head = end;
    RingReader reader(ring_.data(), ring_bytes_, head, seen_, ring_bytes_);
    std::vector<InputKind> kinds;
    RecordView record;
    while (reader.Peek(record) == RingReader::Found::kRecord) {
      const auto kind = static_cast<InputKind>(record.header.kind);
      kinds.push_back(kind);
      std::array<std::int64_t, 2>& stood = stood_[kind];
      if (record.payload.size() == sizeof stood)
        std::memcpy(stood.data(), record.payload.data(), sizeof stood);
      reader.Pass(record);
    }
    seen_ = head;
    page().consumed.store(seen_);
    page().reclaim.store(seen_);
    return kinds;
  }
  // That the last record of this kind said.
  std::int64_t since(InputKind kind = InputKind::kPause) { return stood_[kind][0]; }
  std::int64_t until(InputKind kind) { return stood_[kind][1]; }

 private:
  WorkPage& page() { return *reinterpret_cast<WorkPage*>(page_.data()); }

  std::uint64_t ring_bytes_;
  const InJournal* head_;
  Mapping ring_;
  Mapping page_;
  std::uint64_t seen_ = 0;
  std::map<InputKind, std::array<std::int64_t, 2>> stood_;
};

class TimeTest : public TaskSets {
 protected:
  TimeTest() : tasks_(Open("/device", Pipelines(1)).value()), task_(&tasks_->tasks()[0]) {
    options_.now = [this] { return now_; };
    options_.on_tick = [] {};
    options_.on_set_back = [this](Duration by) { set_back_.push_back(by); };
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
  std::vector<Duration> set_back_;
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
  now_ += milliseconds(150);
  loop_.run_one_for(seconds(30));  // the ticker's own timer, though nobody rings
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kTick});
}

// What is in its way is not time: ticks would fill the journals of the stages before.
TEST_F(TimeTest, ATaskThatWantsTheSameStillIsTickedLessAndLessOften) {
  Worker worker(*task_);
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  worker.Wants(now_);
  std::size_t ticks = 0;
  for (int i = 0; i < 36'000; ++i) {  // an hour
    ticker.Run();
    ticks += worker.ReadAll().size();
    now_ += milliseconds(100);
  }
  EXPECT_GT(ticks, 60U);
  EXPECT_LT(ticks, 80U);
  // Another deadline is another matter.
  worker.Wants(now_);
  ticker.Run();
  EXPECT_EQ(worker.ReadAll(), std::vector{InputKind::kTick});
  ticker.Stop();
}

// On the way, and while the daemon was away.
TEST_F(TimeTest, AClockThatIsSetBackIsToldOnce) {
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  ticker.Run();
  now_ -= seconds(3'600);
  ticker.Run();
  EXPECT_EQ(set_back_, std::vector<Duration>{seconds(3'600)});
  now_ += seconds(100);
  ticker.Run();
  now_ += seconds(3'600);
  ticker.Run();
  EXPECT_EQ(set_back_.size(), 1U);
  ticker.Stop();
  set_back_.clear();
  now_ -= seconds(7'200);
  task_->journal = InJournal::Open(task_->files, {}).value();
  Ticker next(loop_, *tasks_, {&ringer_}, options_);
  next.Run();
  EXPECT_EQ(set_back_, std::vector<Duration>{seconds(7'200)});
  next.Stop();
}

TEST_F(TimeTest, ATaskThatDoesNotGetOnKeepsNoOtherFromItsTime) {
  const auto tasks = Open("/two", Pipelines(2)).value();
  Worker stuck(tasks->tasks()[0]);
  Worker other(tasks->tasks()[1]);
  Ticker ticker(loop_, *tasks, {&ringer_}, options_);
  stuck.Wants(now_);
  ticker.Run();
  other.Wants(now_ + milliseconds(60));
  ticker.Run();
  EXPECT_EQ(other.ReadAll(), std::vector<InputKind>());
  now_ += milliseconds(60);
  // The ticker's own timer; those that it has given up end first.
  std::vector<InputKind> read;
  for (int i = 0; i < 3 && read.empty(); ++i) {
    loop_.run_one_for(seconds(30));
    read = other.ReadAll();
  }
  EXPECT_EQ(read, std::vector{InputKind::kTick});
  ticker.Stop();
}

class NewsTest : public TimeTest {
 protected:
  NewsTest() {
    Source::Options options;
    options.broker = "b";
    options.mqtt.urls = {"mqtt://127.0.0.1:1"};
    options.mqtt.client_id = "time-test";
    options.session.pipelines = {0};
    options.dispatcher.now = [this] { return now_; };
    options.dispatcher.room_bell = &room_;
    source_ = Source::Create(loop_, control_, *tasks_, {&ringer_}, log_, options).value();
  }
  // The source is held up when the journal is full, which the worker then reads; since when.
  Time HoldWithoutRoom() {
    source_->OnEvent(MqttConnected{});
    FillJournal();
    source_->Hold(true, now_);
    worker_.ReadAll();
    const Time since = now_;
    now_ += seconds(5);
    return since;
  }
  // Until nothing is left to be told.
  void AskAgain() {
    loop_.restart();
    loop_.run();
  }

  Worker worker_{*task_};
  Log log_{Log::Style::kPlain};
  PahoControl control_;
  Doorbell room_ = Doorbell::Create().value();
  std::unique_ptr<Source> source_;
};

TEST_F(NewsTest, WhatWasBeforeTheStartIsLeftOutUntilItIsConnected) {
  EXPECT_EQ(worker_.ReadAll(), std::vector{InputKind::kPause});
  EXPECT_EQ(worker_.since(), Microseconds(task_->journal->up_before()));
  source_->OnEvent(MqttConnected{});
  EXPECT_EQ(worker_.ReadAll(), std::vector{InputKind::kResume});
  source_->TellAgain();
  EXPECT_EQ(worker_.ReadAll(), std::vector{InputKind::kResume});
}

TEST_F(NewsTest, APauseThatFoundNoRoomIsToldLaterAndOnce) {
  const Time since = HoldWithoutRoom();
  AskAgain();
  // Whatever comes first has told it.
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kPause}));
  EXPECT_EQ(worker_.since(), Microseconds(since));
}

TEST_F(NewsTest, APauseThatIsOverBeforeThereWasRoomIsToldAsOne) {
  source_->OnEvent(MqttConnected{});
  FillJournal();
  const Time since = now_;
  source_->Hold(true, since);
  now_ += seconds(5);
  source_->Hold(true, now_);  // again
  now_ += seconds(5);
  source_->Hold(false, now_);
  worker_.ReadAll();
  AskAgain();
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kResume}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
  EXPECT_EQ(worker_.until(InputKind::kStood), Microseconds(now_));
}

// Time that comes before the pause is told does not make anybody silent.
TEST_F(NewsTest, ATickDoesNotOvertakeAPauseThatFoundNoRoom) {
  const Time since = HoldWithoutRoom();
  EXPECT_EQ(task_->journal->AppendTime(InputKind::kTick, now_), Appended::kDone);
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kTick}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
  // It still stands.
  const Time tick = now_;
  now_ += seconds(5);
  EXPECT_EQ(task_->journal->AppendMessage("in/d", "x", now_, {}), Appended::kDone);
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kMessage}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(tick));
}

TEST_F(NewsTest, MessagesThatAreDroppedAreNoSilence) {
  source_->OnEvent(MqttConnected{});
  FillJournal();
  const Time since = now_;
  for (int i = 0; i < 3; ++i) {
    task_->journal->CountOverloadDrop(now_);
    now_ += seconds(5);
  }
  worker_.ReadAll();
  EXPECT_EQ(task_->journal->AppendMessage("in/d", "x", now_, {}), Appended::kDone);
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kMessage}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
  EXPECT_EQ(task_->journal->AppendMessage("in/d", "x", now_, {}), Appended::kDone);
  EXPECT_EQ(worker_.ReadAll(), std::vector{InputKind::kMessage});
}

// A daemon that was connected while nothing came was there all the same.
TEST_F(NewsTest, ItIsKnownUntilWhenItWasThere) {
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  ticker.Run();
  now_ += seconds(60);
  ticker.Stop();
  const Time end = now_;
  now_ += seconds(5);
  ticker.Run();
  const auto again = InJournal::Open(task_->files, {}).value();
  EXPECT_EQ(again->up_before(), end);
}

// The machine slept, the process was stopped, or the clock was set.
TEST_F(NewsTest, ADaemonThatStoodStillMakesNobodySilent) {
  source_->OnEvent(MqttConnected{});
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  worker_.Wants(now_ + seconds(30));
  ticker.Run();
  worker_.ReadAll();
  const Time since = now_;
  // A message may come before the loop does.
  for (const bool message : {false, true}) {
    now_ += seconds(1'000);
    const Time end = now_;
    if (message) {
      EXPECT_EQ(task_->journal->AppendMessage("in/d", "x", now_, {}), Appended::kDone);
      EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kMessage}));
      EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(end - seconds(1'000)));
    } else {
      ticker.Run();
      EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kTick}));
      EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
      worker_.Wants(now_ + seconds(30));
    }
    ticker.Run();
    // The tick that it has wanted meanwhile.
    EXPECT_EQ(worker_.ReadAll(), std::vector<InputKind>(message ? 1 : 0, InputKind::kTick));
  }
  ticker.Stop();
}

// A connection that is lost or made is often the first thing that is noticed.
TEST_F(NewsTest, NewsBehindAStandstillSayThatFirst) {
  source_->OnEvent(MqttConnected{});
  Ticker ticker(loop_, *tasks_, {&ringer_}, options_);
  ticker.Run();
  worker_.ReadAll();
  const Time since = now_;
  now_ += seconds(1'000);
  source_->OnEvent(MqttConnectionLost{});
  EXPECT_EQ(worker_.ReadAll(), (std::vector{InputKind::kStood, InputKind::kPause}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
  EXPECT_EQ(worker_.until(InputKind::kStood), Microseconds(now_));
  ticker.Stop();
}

TEST_F(NewsTest, WhatHasNotBeenToldIsToldByTheNextDaemon) {
  source_->OnEvent(MqttConnected{});
  FillJournal();
  const Time since = now_;
  task_->journal->CountOverloadDrop(now_);
  now_ += seconds(5);
  task_->journal->CountOverloadDrop(now_);
  const Time end = now_;
  worker_.ReadAll();
  now_ += seconds(500);
  const auto again = InJournal::Open(task_->files, {}).value();
  EXPECT_EQ(again->AppendTime(InputKind::kTick, now_), Appended::kDone);
  EXPECT_EQ(worker_.ReadAll(again->end()), (std::vector{InputKind::kStood, InputKind::kTick}));
  EXPECT_EQ(worker_.since(InputKind::kStood), Microseconds(since));
  EXPECT_EQ(worker_.until(InputKind::kStood), Microseconds(end));
}

TEST_F(NewsTest, AResumptionThatFoundNoRoomIsToldLater) {
  source_->OnEvent(MqttConnected{});
  source_->Hold(true, now_);
  worker_.ReadAll();
  FillJournal();
  source_->Hold(false, now_);
  worker_.ReadAll();
  AskAgain();
  EXPECT_EQ(worker_.ReadAll(), std::vector{InputKind::kResume});
}

}  // namespace
}  // namespace runnel
