// A kill -9 of the daemon or the uplink at each instruction that touches a journal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "daemon/journal/in_journal.h"
#include "daemon/journal/out_reader.h"
#include "daemon/journal/ring.h"
#include "daemon/posix/files.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;
using testing::KillAtEveryStep;
using testing::Stepped;

constexpr std::uint16_t kSession = 7;
constexpr std::uint64_t kPlan = 77;

// The files of one task, and what successors see of copies of them.
class JournalKill : public ::testing::Test {
 protected:
  JournalKill() {
    char pattern[] = "/tmp/runnel-journal-kill-XXXXXX";
    folder_ = mkdtemp(pattern);
    sizes_.in_ring = 16 * 1024;
    sizes_.out_ring = 16 * 1024;
    sizes_.redelivery = 8;
    sizes_.state = 4096;
    files_ = TaskFiles::Prepare(folder_ + "/task", sizes_, 1).value();
    journal_ = InJournal::Open(files_, {}).value();
    journal_->SessionBegins(kSession, SessionState::kNew);
    EXPECT_EQ(journal_->AppendPlan(kPlan, "plan", Time{}), Appended::kDone);
  }
  ~JournalKill() override { fs::remove_all(folder_); }

  static Delivery FromBroker(std::uint16_t packet_id, bool dup) {
    return {packet_id, dup, kSession};
  }

  // `action` of the daemon; `look` gets the journal of a successor.
  Stepped KillTheDaemon(std::function<void()> action, const std::function<void(InJournal&)>& look) {
    return Kill(std::move(action), files_.in, LayoutOfIn(files_.in_header).size,
                [&](const TaskFiles& copy) { look(*InJournal::Open(copy, {}).value()); });
  }
  // The same of the uplink, which settles.
  Stepped KillTheUplink(std::function<void()> action,
                        const std::function<void(const TaskFiles&)>& look) {
    return Kill(std::move(action), files_.settle, RoundToPage(sizeof(SettlePage)), look);
  }

  // What stands in the ring of inputs of a copy.
  std::vector<std::string> PayloadsOf(InputKind kind) const {
    const Fd file = OpenFile(folder_ + "/copy/in", O_RDONLY).value();
    const InLayout layout = LayoutOfIn(files_.in_header);
    const Mapping page = Mapping::Map(file.get(), 0, layout.redelivery, Access::kRead).value();
    const Mapping ring =
        Mapping::MapTwice(file.get(), layout.ring, sizes_.in_ring, Access::kRead).value();
    RingReader reader(ring.data(), sizes_.in_ring, reinterpret_cast<InPage*>(page.data())->head, 0,
                      sizes_.in_ring);
    std::vector<std::string> payloads;
    RecordView record;
    while (reader.Peek(record) == RingReader::Found::kRecord) {
      if (static_cast<InputKind>(record.header.kind) == kind) payloads.emplace_back(record.payload);
      reader.Pass(record);
    }
    return payloads;
  }

  std::string folder_;
  TaskSizes sizes_;
  TaskFiles files_;
  std::unique_ptr<InJournal> journal_;

 private:
  Stepped Kill(std::function<void()> action, const Fd& file, std::uint64_t size,
               const std::function<void(const TaskFiles&)>& look) {
    const Mapping left = Mapping::Map(file.get(), 0, size, Access::kRead).value();
    return KillAtEveryStep({std::move(action), {{left.data(), size}}, [&] {
                              fs::copy(folder_ + "/task", folder_ + "/copy");
                              const TaskFiles copy =
                                  TaskFiles::Prepare(folder_ + "/copy", sizes_, 2).value();
                              EXPECT_EQ(copy.origin, TaskOrigin::kKept);
                              look(copy);
                              fs::remove_all(folder_ + "/copy");
                            }});
  }
};

// As a daemon begins: all that it appends before the broker sends again what it has not
// seen acknowledged.
void BeginAnew(InJournal& journal) {
  journal.AppendPlan(kPlan, "plan", Time{});
  journal.AppendNews(InputKind::kPause, Time{}, Time{});
  journal.SessionBegins(kSession, SessionState::kPresent);
  journal.AppendNews(InputKind::kResume, Time{}, Time{});
}

TEST_F(JournalKill, AMessageThatIsSentAgainIsThereOnce) {
  std::vector<std::string> sent;
  // So that the entries begin at their beginning again.
  for (std::uint16_t id = 1; id <= 12; ++id) {
    sent.push_back("message " + std::to_string(id));
    ASSERT_EQ(journal_->AppendMessage("topic", sent.back(), Time{}, FromBroker(id, false)),
              Appended::kDone);
  }
  sent.emplace_back("the last one");
  const auto append = [&] {
    journal_->AppendMessage("topic", sent[12], Time{}, FromBroker(13, false));
  };
  std::array<int, 2> outcomes{};
  const Stepped stepped = KillTheDaemon(append, [&](InJournal& successor) {
    BeginAnew(successor);
    ASSERT_EQ(successor.AppendMessage("topic", sent[11], Time{}, FromBroker(12, true)),
              Appended::kRedelivered);
    const Appended again = successor.AppendMessage("topic", sent[12], Time{}, FromBroker(13, true));
    ASSERT_EQ(PayloadsOf(InputKind::kMessage), sent);
    ASSERT_EQ(successor.received(), sent.size());
    ++outcomes[again == Appended::kDone ? 0 : 1];
  });
  // Of both there are states: killed before the record was there, and behind it.
  EXPECT_GT(outcomes[0], 5);
  EXPECT_GT(outcomes[1], 1);
  EXPECT_GT(stepped.steps, 50u);
}

TEST_F(JournalKill, ARecordOfTheStageBeforeIsThereOnce) {
  std::vector<std::string> sent = {"a", "b", "c"};
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(journal_->AppendExchange(InputKind::kExchange, {2, 7, 10 + i}, Time{}, sent[i]),
              Appended::kDone);
  }
  sent.emplace_back("d");
  const auto append = [&] {
    journal_->AppendExchange(InputKind::kExchange, {2, 7, 13}, Time{}, "d");
    journal_->AppendExchange(InputKind::kTick, {2, 7, 14}, Time{}, "now");
  };
  KillTheDaemon(append, [&](InJournal& successor) {
    BeginAnew(successor);
    ASSERT_EQ(successor.AppendExchange(InputKind::kExchange, {2, 7, 12}, Time{}, "c"),
              Appended::kRedelivered);
    successor.AppendExchange(InputKind::kExchange, {2, 7, 13}, Time{}, "d");
    successor.AppendExchange(InputKind::kTick, {2, 7, 14}, Time{}, "now");
    ASSERT_EQ(PayloadsOf(InputKind::kExchange), sent);
    ASSERT_EQ(PayloadsOf(InputKind::kTick), std::vector<std::string>{"now"});
  });
}

TEST_F(JournalKill, APlanIsThereOnceAndTimeDoesNotGoBack) {
  const auto append = [&] {
    journal_->AppendPlan(kPlan + 1, "changed", Time{} + std::chrono::seconds(5));
    journal_->AppendTime(InputKind::kTick, Time{} + std::chrono::seconds(6));
  };
  KillTheDaemon(append, [&](InJournal& successor) {
    // The wall clock was set back in between.
    successor.AppendPlan(kPlan + 1, "changed", Time{});
    ASSERT_EQ(successor.plan_fingerprint(), kPlan + 1);
    ASSERT_EQ(PayloadsOf(InputKind::kPlan), (std::vector<std::string>{"plan", "changed"}));
    ASSERT_EQ(successor.received(), 0u);
  });
}

TEST_F(JournalKill, WhatIsSettledIsCountedOnce) {
  constexpr std::uint64_t kOutputs = 4;
  {
    const WorkLayout layout = LayoutOfWork(files_.work_header);
    const Mapping page = Mapping::Map(files_.work.get(), 0, layout.ring, Access::kWrite).value();
    const Mapping ring =
        Mapping::MapTwice(files_.work.get(), layout.ring, sizes_.out_ring, Access::kWrite).value();
    const std::atomic<std::uint64_t> reclaim{0};
    RingWriter writer(ring.data(), sizes_.out_ring,
                      reinterpret_cast<WorkPage*>(page.data())->out_head, reclaim);
    for (std::uint64_t i = 0; i < kOutputs; ++i) {
      RecordHeader header{};
      header.kind = static_cast<std::uint8_t>(OutputKind::kResult);
      header.sequence = i;
      writer.Append(header, "topic", {"result"});
    }
    writer.Publish();
  }
  const std::unique_ptr<OutReader> reader =
      OutReader::Open(files_.work.get(), files_.settle.get()).value();
  const auto settle = [&] {
    RecordView record;
    while (reader->Next(record) == RingReader::Found::kRecord) {
      reader->Settle(record, OutReader::Settled::kPublished);
    }
  };
  std::uint64_t settled_before = 0;
  KillTheUplink(settle, [&](const TaskFiles& files) {
    const Mapping page =
        Mapping::Map(files.settle.get(), 0, RoundToPage(sizeof(SettlePage)), Access::kRead).value();
    const auto& settle_page = *reinterpret_cast<const SettlePage*>(page.data());
    const SettleState settled = CurrentState(settle_page);
    // Never ahead: the worker overwrites what is before it.
    ASSERT_LE(settle_page.settled.load(), settled.settled);
    const std::unique_ptr<OutReader> successor =
        OutReader::Open(files.work.get(), files.settle.get()).value();
    ASSERT_EQ(settled.published, settled.sequence);
    ASSERT_GE(settled.sequence, settled_before);
    settled_before = settled.sequence;
    std::uint64_t left = 0;
    RecordView record;
    while (successor->Next(record) == RingReader::Found::kRecord) {
      ASSERT_EQ(record.header.sequence, settled.sequence + left);
      ++left;
    }
    ASSERT_EQ(settled.sequence + left, kOutputs);
  });
  EXPECT_EQ(settled_before, kOutputs);
}

}  // namespace
}  // namespace runnel
