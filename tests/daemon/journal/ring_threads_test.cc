// Two threads on one ring, for ThreadSanitizer: it sees no other process, but the
// orderings are the same.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "daemon/journal/ring.h"
#include "daemon/posix/doorbell.h"

namespace runnel {
namespace {

template <typename HasWork>
void Sleep(SleepWord& word, const Doorbell& bell, const HasWork& has_work) {
  word.GoToSleep();
  if (!has_work()) {
    std::array<pollfd, 2> sources = bell.sources();
    poll(sources.data(), sources.size(), -1);
  }
  word.WakeUp();
  bell.Clear();
}

TEST(RingThreads, AReaderThatSleepsMissesNothing) {
  constexpr std::size_t kRing = 16 * 1024;
  constexpr std::uint64_t kRecords = 200'000;
  std::vector<std::byte> data(2 * kRing);
  // The second image of a real ring is the same memory; here records must not wrap,
  // so all have a size that divides the ring.
  constexpr std::size_t kPayload = 128 - sizeof(RecordHeader) - 8;
  std::atomic<std::uint64_t> head{0};
  std::atomic<std::uint64_t> reclaim{0};
  SleepWord reader_word{};
  SleepWord writer_word{};
  const Doorbell reader_bell = Doorbell::Create().value();
  const Doorbell writer_bell = Doorbell::Create().value();

  std::thread writing([&] {
    RingWriter writer(data.data(), kRing, head, reclaim);
    Ringer reader(reader_word, reader_bell);
    std::string payload(kPayload, 'x');
    for (std::uint64_t i = 0; i < kRecords;) {
      if (!writer.HasRoom(128)) {
        Sleep(writer_word, writer_bell, [&] { return writer.HasRoom(128); });
        continue;
      }
      payload[i % kPayload] = static_cast<char>('a' + i % 26);
      const std::string_view part = payload;
      RecordHeader header{};
      header.sequence = i++;
      writer.Append(header, "topic/00", {part});
      writer.Publish();
      reader.Notify(std::chrono::microseconds(i % 7 == 0 ? 50 : 0));
    }
  });

  RingReader reader(data.data(), kRing, head, 0, kRing / 2);
  Ringer writer(writer_word, writer_bell);
  std::uint64_t seen = 0;
  while (seen < kRecords) {
    RecordView record;
    if (reader.Peek(record) != RingReader::Found::kRecord) {
      Sleep(reader_word, reader_bell, [&] { return reader.HasMore(); });
      continue;
    }
    ASSERT_EQ(record.header.sequence, seen);
    ASSERT_EQ(record.payload[seen % kPayload], static_cast<char>('a' + seen % 26));
    reader.Pass(record);
    ++seen;
    reclaim.store(reader.position(), std::memory_order_release);
    writer.Notify({});
  }
  writing.join();
  EXPECT_EQ(seen, kRecords);
}

}  // namespace
}  // namespace runnel
