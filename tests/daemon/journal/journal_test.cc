#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <random>
#include <set>

#include "daemon/journal/in_journal.h"
#include "daemon/journal/out_reader.h"
#include "daemon/journal/redelivery.h"
#include "daemon/journal/snapshot.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    char pattern[] = "/tmp/runnel-journal-test-XXXXXX";
    folder_ = mkdtemp(pattern);
    sizes_.in_ring = 64 * 1024;
    sizes_.out_ring = 64 * 1024;
    sizes_.redelivery = 16;
    sizes_.state = 1 << 20;
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<InJournal> Open(std::uint64_t incarnation = 1) {
    Result<TaskFiles> files = TaskFiles::Prepare(folder_ + "/task", sizes_, incarnation);
    EXPECT_TRUE(files.ok()) << files.error().message;
    files_ = std::move(files).value();
    Result<std::unique_ptr<InJournal>> journal = InJournal::Open(files_, {});
    EXPECT_TRUE(journal.ok());
    // What the worker maps: its page, for writing.
    Result<Mapping> page =
        Mapping::Map(files_.work.get(), 0, LayoutOfWork(files_.work_header).ring, Access::kWrite);
    work_mapping_ = std::move(page).value();
    work_ = reinterpret_cast<WorkPage*>(work_mapping_.data());
    const InLayout layout = LayoutOfIn(files_.in_header);
    in_pages_ = Mapping::Map(files_.in.get(), 0, layout.ring, Access::kRead).value();
    in_ring_ =
        Mapping::MapTwice(files_.in.get(), layout.ring, sizes_.in_ring, Access::kRead).value();
    return std::move(journal).value();
  }
  RingReader Reader(std::uint64_t position = 0) {
    return RingReader(in_ring_.data(), in_ring_.size(),
                      reinterpret_cast<const InPage*>(in_pages_.data())->head, position,
                      in_ring_.size() / 2);
  }
  static Delivery FromBroker(std::uint16_t packet_id, bool dup) { return {packet_id, dup, 7}; }

  std::string folder_;
  TaskSizes sizes_;
  TaskFiles files_;
  Mapping work_mapping_;
  Mapping in_pages_;
  Mapping in_ring_;
  WorkPage* work_ = nullptr;
};

// With 32 bits two of these some 5,000 would be the same by chance once in 300 runs; the digest is
// fixed, and these are not.
TEST(DigestTest, TellsApartWhatDiffersInOneByteOrInWhereTheTopicEnds) {
  std::set<std::uint32_t> seen;
  std::size_t made = 0;
  const auto note = [&](const std::string& topic, const std::string& payload) {
    seen.insert(DigestOf(topic, payload));
    ++made;
  };
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string text(size, 'a');
    for (std::size_t cut : {size / 3, size / 2}) {
      note(text.substr(0, cut), text.substr(cut));
      if (size / 3 == size / 2) break;
    }
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = text;
      other[i] = 'b';
      note("sensors/a/climate", other);
      note(other + "/climate", "21.5");
    }
  }
  EXPECT_GT(made, 4'900u);
  EXPECT_EQ(seen.size(), made);
}

TEST_F(JournalTest, KeepsRecordsInOrderAcrossTheEndOfTheRing) {
  std::unique_ptr<InJournal> journal = Open();
  RingReader reader = Reader();
  std::mt19937 random(1);
  std::uint64_t written = 0, read = 0;
  while (read < 20'000) {
    const std::string payload(random() % 900, static_cast<char>('a' + written % 26));
    const Appended appended =
        journal->AppendMessage("t/" + std::to_string(written), payload, Time{}, {});
    if (appended == Appended::kDone) ++written;
    if (appended == Appended::kDone && random() % 3 != 0) continue;
    RecordView record;
    while (reader.Peek(record) == RingReader::Found::kRecord) {
      ASSERT_EQ(record.topic, "t/" + std::to_string(read));
      ASSERT_EQ(record.header.sequence, read);
      for (const char c : record.payload) ASSERT_EQ(c, static_cast<char>('a' + read % 26));
      reader.Pass(record);
      ++read;
    }
    work_->reclaim.store(reader.position());
  }
  EXPECT_EQ(journal->received(), written);
}

TEST_F(JournalTest, IsFullOfMessagesBeforeItIsFullOfTime) {
  std::unique_ptr<InJournal> journal = Open();
  while (journal->AppendMessage("t", std::string(100, 'x'), Time{}, {}) == Appended::kDone) {
  }
  while (journal->AppendMessage("t", "", Time{}, {}) == Appended::kDone) {
  }
  EXPECT_EQ(journal->AppendTime(InputKind::kTick, Time{}), Appended::kDone);
  EXPECT_EQ(journal->AppendNews(InputKind::kPause, Time{}, Time{}), Appended::kDone);
}

TEST_F(JournalTest, AMessageThatHasWaitedSaysSoFirst) {
  std::unique_ptr<InJournal> journal = Open();
  RingReader reader = Reader();
  const Time since = TimeFromMicroseconds(1'000);
  const Time now = TimeFromMicroseconds(5'000);
  journal->WaitBegins(since);
  ASSERT_EQ(journal->AppendMessage("t", "x", now, {}), Appended::kDone);
  journal->WaitEnds(now, true);
  ASSERT_EQ(journal->AppendMessage("t", "y", now, {}), Appended::kDone);
  RecordView record;
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.header.kind, static_cast<std::uint8_t>(InputKind::kStood));
  EXPECT_EQ(record.header.time, 5'000);
  std::array<std::int64_t, 2> said{};
  ASSERT_EQ(record.payload.size(), sizeof said);
  std::memcpy(said.data(), record.payload.data(), sizeof said);
  EXPECT_EQ(said, (std::array<std::int64_t, 2>{1'000, 5'000}));
  reader.Pass(record);
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.header.kind, static_cast<std::uint8_t>(InputKind::kMessage));
  reader.Pass(record);
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.header.kind, static_cast<std::uint8_t>(InputKind::kMessage));
  EXPECT_EQ(journal->received(), 2u);
}

TEST_F(JournalTest, AMessageOverTheLimitKeepsItsBeginning) {
  std::unique_ptr<InJournal> journal = Open();
  ASSERT_EQ(journal->AppendMessage("t", std::string(16'000, 'x'), Time{}, {}), Appended::kDone);
  ASSERT_EQ(journal->AppendMessage("t", std::string(70'000, 'x'), Time{}, {}), Appended::kDone);
  RingReader reader = Reader();
  RecordView record;
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.header.kind, static_cast<int>(InputKind::kMessage));
  reader.Pass(record);
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.header.kind, static_cast<int>(InputKind::kOversize));
  EXPECT_EQ(record.payload, std::string(1024, 'x'));
}

TEST_F(JournalTest, ArrivalNeverGoesBack) {
  std::unique_ptr<InJournal> journal = Open();
  for (const int time : {100, 50, 200, 10}) {
    journal->AppendMessage("t", "", TimeFromMicroseconds(time), {});
  }
  RingReader reader = Reader();
  RecordView record;
  std::vector<std::int64_t> times;
  while (reader.Peek(record) == RingReader::Found::kRecord) {
    times.push_back(record.header.time);
    reader.Pass(record);
  }
  EXPECT_EQ(times, (std::vector<std::int64_t>{100, 100, 200, 200}));
}

TEST_F(JournalTest, DropsWhatIsRedeliveredAndNothingElse) {
  std::unique_ptr<InJournal> journal = Open();
  journal->SessionBegins(7, SessionState::kNew);
  for (std::uint16_t id = 1; id <= 5; ++id) {
    EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(id, false)), Appended::kDone);
  }
  journal = Open();  // the daemon was killed
  journal->SessionBegins(7, SessionState::kPresent);
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(4, true)),
            Appended::kRedelivered);
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(5, true)),
            Appended::kRedelivered);
  // Once used up, and out of order: not a repeat.
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(5, true)), Appended::kDone);
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(3, true)), Appended::kDone);
  // Another content, another session, no DUP.
  EXPECT_EQ(journal->AppendMessage("t", "other", Time{}, FromBroker(2, true)), Appended::kDone);
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, {2, true, 8}), Appended::kDone);
  EXPECT_EQ(journal->AppendMessage("t", "same", Time{}, FromBroker(2, false)), Appended::kDone);
  EXPECT_EQ(journal->redelivered(), 2u);
}

TEST_F(JournalTest, ALostSessionMakesPacketIdentifiersMeaningless) {
  std::unique_ptr<InJournal> journal = Open();
  journal->AppendMessage("t", "x", Time{}, FromBroker(1, false));
  journal->SessionBegins(7, SessionState::kNew);
  journal->SessionBegins(7, SessionState::kPresent);
  EXPECT_EQ(journal->AppendMessage("t", "x", Time{}, FromBroker(1, true)), Appended::kDone);
}

TEST_F(JournalTest, ExchangeTakesEverySequenceOnce) {
  std::unique_ptr<InJournal> journal = Open();
  EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, {2, 7, 0}, Time{}, "a"), Appended::kDone);
  EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, {2, 7, 0}, Time{}, "a"),
            Appended::kRedelivered);
  EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, {3, 7, 0}, Time{}, "b"), Appended::kDone);
  journal = Open();
  EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, {2, 7, 0}, Time{}, "a"),
            Appended::kRedelivered);
  EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, {3, 7, 1}, Time{}, "c"), Appended::kDone);
}

// Files made anew count from 0 again.
// Small records from the stage before would take all the room that there ever is.
TEST_F(JournalTest, APlanThatWaitsGetsItsRoom) {
  const auto journal = Open();
  const std::string plan(1'000, 'p');
  std::uint64_t sequence = 0;
  const auto fill = [&] {
    while (journal->AppendExchange(InputKind::kExchange, {0, 1, sequence}, {}, "x") ==
           Appended::kDone) {
      ++sequence;
    }
  };
  fill();
  EXPECT_EQ(journal->AppendPlan(7, plan, {}), Appended::kFull);
  for (int i = 1; i <= 200; ++i) {
    // The worker gets on by less than a plan needs.
    work_->reclaim.store(static_cast<std::uint64_t>(i) * 64);
    fill();
    if (journal->AppendPlan(7, plan, {}) == Appended::kDone) return;
  }
  FAIL() << "the plan found no room";
}

// A lookup table that changed and changed back while the journal was full.
TEST_F(JournalTest, APlanThatIsTakenBackGivesItsRoomBack) {
  const std::unique_ptr<InJournal> journal = Open();
  ASSERT_EQ(journal->AppendPlan(1, "plan", {}), Appended::kDone);
  const auto fill = [&] {
    int count = 0;
    while (journal->AppendMessage("t", "x", {}, {}) == Appended::kDone) ++count;
    return count;
  };
  const int before = fill();
  ASSERT_EQ(journal->AppendPlan(2, std::string(15'000, 'p'), {}), Appended::kFull);
  ASSERT_EQ(journal->AppendPlan(1, "plan", {}), Appended::kRedelivered);
  work_->reclaim.store(journal->end());
  EXPECT_GE(fill(), before);
}

// A board without a clock of its own, until it has the time from the network.
TEST_F(JournalTest, AClockThatIsBehindForAMomentMakesNoStandstillOfTheTimeBefore) {
  const std::unique_ptr<InJournal> journal = Open();
  RingReader reader = Reader();
  const auto at = [](std::int64_t seconds) { return TimeFromMicroseconds(seconds * 1'000'000); };
  journal->NoteUp(at(1'000));
  journal->NoteUp(at(500));
  journal->Arm(at(560));
  ASSERT_EQ(journal->AppendMessage("t", "x", at(2'000), {}), Appended::kDone);
  RecordView record;
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  ASSERT_EQ(record.header.kind, static_cast<std::uint8_t>(InputKind::kStood));
  std::array<std::int64_t, 2> said{};
  std::memcpy(said.data(), record.payload.data(), sizeof said);
  EXPECT_EQ(said[0], Microseconds(at(1'000)));
  EXPECT_EQ(said[1], Microseconds(at(2'000)));
}

TEST_F(JournalTest, ASourceThatWasMadeAnewIsNotItsPredecessor) {
  std::unique_ptr<InJournal> journal = Open();
  for (std::uint64_t incarnation = 7; incarnation < 9; ++incarnation) {
    for (std::uint64_t sequence = 0; sequence < 3; ++sequence) {
      const InJournal::ExchangeOrigin origin{2, incarnation, sequence};
      EXPECT_FALSE(journal->HasAsLast(origin));
      EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, origin, Time{}, "a"),
                Appended::kDone);
      EXPECT_TRUE(journal->HasAsLast(origin));
      EXPECT_EQ(journal->AppendExchange(InputKind::kExchange, origin, Time{}, "a"),
                Appended::kRedelivered);
    }
    EXPECT_FALSE(journal->HasAsLast({2, incarnation, 1}));
    EXPECT_FALSE(journal->HasAsLast({3, incarnation, 2}));
    journal = Open();
  }
}

TEST_F(JournalTest, TheSecondDeathHasTheTurnSkipped) {
  std::unique_ptr<InJournal> journal = Open();
  constexpr pid_t kWorker = 1234;
  work_->host.store(kWorker);
  EXPECT_FALSE(journal->BlameRunningTurn(kWorker, 11).has_value());
  work_->turn_running.store(43);
  std::optional<Blame> blame = journal->BlameRunningTurn(kWorker, 11);
  ASSERT_TRUE(blame.has_value());
  EXPECT_EQ(blame->turn, 42u);
  EXPECT_FALSE(blame->skipped);
  blame = journal->BlameRunningTurn(kWorker, 6);
  EXPECT_TRUE(blame->skipped);
}

// A worker goes with its daemon, in the middle of a turn; the next worker dies for a reason
// of its own before it has taken over.
TEST_F(JournalTest, ATurnOfAnotherWorkerIsNotBlamed) {
  std::unique_ptr<InJournal> journal = Open();
  work_->host.store(1234);
  work_->turn_running.store(43);
  EXPECT_EQ(journal->TurnRunning(1235), 0u);
  EXPECT_FALSE(journal->BlameRunningTurn(1235, 11).has_value());
  EXPECT_EQ(journal->TurnRunning(1234), 43u);
}

TEST_F(JournalTest, ACursorThatCannotBeIsNotBelieved) {
  std::unique_ptr<InJournal> journal = Open();
  ASSERT_EQ(journal->AppendMessage("t", "x", Time{}, {}), Appended::kDone);
  work_->reclaim.store(1'000'000);  // ahead of the head
  for (int i = 0; i < 10'000; ++i) {
    if (journal->AppendMessage("t", std::string(500, 'x'), Time{}, {}) == Appended::kFull) return;
  }
  FAIL() << "the journal overwrote records that were not read";
}

TEST_F(JournalTest, KeepsFilesAndMakesThemAnewWhenOneIsDamaged) {
  Open(1);
  Open(2);
  EXPECT_EQ(files_.origin, TaskOrigin::kKept);
  EXPECT_EQ(files_.in_header.incarnation, 1u);
  ASSERT_EQ(truncate((folder_ + "/task/work").c_str(), 4096), 0);
  Open(3);
  EXPECT_EQ(files_.origin, TaskOrigin::kMade);
  EXPECT_EQ(files_.in_header.incarnation, 3u);
  EXPECT_NE(files_.why_made.find("the file is cut off at 4096 of"), std::string::npos)
      << files_.why_made;
}

TEST_F(JournalTest, ASnapshotBringsTheFilesBack) {
  std::unique_ptr<InJournal> journal = Open(9);
  journal->AppendMessage("t", "payload", Time{}, {});
  ASSERT_TRUE(SaveSnapshot(folder_ + "/task", folder_ + "/snapshot").ok());
  journal.reset();
  std::filesystem::remove_all(folder_ + "/task");
  ASSERT_TRUE(RestoreSnapshot(folder_ + "/snapshot", folder_ + "/task").ok());
  Open(10);
  EXPECT_EQ(files_.in_header.incarnation, 9u);
  RingReader reader = Reader();
  RecordView record;
  ASSERT_EQ(reader.Peek(record), RingReader::Found::kRecord);
  EXPECT_EQ(record.payload, "payload");
}

TEST_F(JournalTest, ADamagedSnapshotIsRefusedAtEveryByteThatMatters) {
  Open(9);
  ASSERT_TRUE(SaveSnapshot(folder_ + "/task", folder_ + "/snapshot").ok());
  std::string bytes = ReadFile(folder_ + "/snapshot", 1 << 24).value();
  for (std::size_t at = 0; at < bytes.size(); at += 977) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/damaged", damaged).ok());
    EXPECT_FALSE(RestoreSnapshot(folder_ + "/damaged", folder_ + "/other").ok()) << at;
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/other/in"));
  }
}

TEST_F(JournalTest, ASecondHolderOfALockIsToldTheFirstOnesPid) {
  const Result<Fd> first = LockFile(folder_ + "/lock");
  ASSERT_TRUE(first.ok());
  const Result<Fd> second = LockFile(folder_ + "/lock");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message,
            "`" + folder_ + "/lock` is held by another runnel, pid " + std::to_string(getpid()));
}

// A daemon is killed while it starts a worker, which has all of its files until it has begun.
TEST_F(JournalTest, ALockThatADeadHolderLeftToItsChildIsWaitedFor) {
  const std::string path = folder_ + "/lock";
  const pid_t holder = fork();
  ASSERT_GE(holder, 0);
  if (holder == 0) {
    Result<Fd> lock = LockFile(path);
    const Fd reads(inotify_init1(IN_CLOEXEC));
    if (!lock.ok() || inotify_add_watch(reads.get(), path.c_str(), IN_ACCESS) < 0) _exit(1);
    if (fork() == 0) {
      // Until somebody has not got it, and looks who has.
      char event[sizeof(inotify_event) + NAME_MAX + 1];
      static_cast<void>(!read(reads.get(), event, sizeof event));
    }
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(holder, &status, 0), holder);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(LockFile(path).ok());
}

}  // namespace
}  // namespace runnel
