#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/batch/chunker.h"
#include "daemon/batch/manifest.h"
#include "daemon/batch/phases.h"
#include "daemon/batch/progress.h"
#include "daemon/batch/spool.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

ManifestEntry EntryOf(std::uint64_t number) {
  ManifestEntry entry;
  entry.chunk.number = number;
  entry.chunk.position = 1000 * number;
  entry.counts.rows = entry.counts.absorbed = 7;
  entry.spool = 300;
  entry.runs = {{100, 200}};
  entry.segments = {{3, number, 5, {10, 20}}};
  return entry;
}

TEST(Manifest, EndsBehindItsLastWholeEntry) {
  ManifestHead head;
  head.pipeline = 42;
  head.chunk_bytes = 4096;
  head.inputs = {{"a.csv", 10, 20}, {"b.csv", 30, -40}};
  const std::string begin = EncodeManifestHead(head);
  const std::string first = EncodeManifestEntry(EntryOf(0));
  const std::string all = begin + first + EncodeManifestEntry(EntryOf(1));
  for (std::size_t size = 0; size <= all.size(); ++size) {
    const std::optional<ManifestContent> content =
        ReadManifest(std::string_view(all).substr(0, size));
    ASSERT_EQ(content.has_value(), size >= begin.size());
    if (!content.has_value()) continue;
    EXPECT_EQ(WhyNotTheSame(content->head, head), "");
    const std::size_t whole = size == all.size() ? 2 : size >= begin.size() + first.size() ? 1 : 0;
    ASSERT_EQ(content->entries.size(), whole);
    if (whole == 0) continue;
    EXPECT_EQ(content->entries[0].segments[0].extent.size, 20U);
    EXPECT_EQ(content->entries[0].runs[0].offset, 100U);
  }
}

TEST(Manifest, SaysWhatIsNotTheSame) {
  ManifestHead before;
  before.inputs = {{"a.csv", 10, 20}};
  ManifestHead now = before;
  now.inputs[0].size = 11;
  EXPECT_EQ(WhyNotTheSame(before, now), "`a.csv` has changed");
  now = before;
  now.pipeline = 1;
  EXPECT_EQ(WhyNotTheSame(before, now), "the pipeline or the formats are others");
}

TEST(Progress, IsNeverMoreThanAll) {
  using Style = Progress::Style;
  EXPECT_EQ(PartText(PartOf(0, 100), Style::kBar), " [........................]   0 %");
  EXPECT_EQ(PartText(PartOf(50, 100), Style::kBar), " [############............]  50 %");
  EXPECT_EQ(PartText(PartOf(100, 100), Style::kBar), " [########################] 100 %");
  EXPECT_EQ(PartText(PartOf(101, 100), Style::kBar), " [########################] 100 %");
  EXPECT_EQ(PartText(PartOf(UINT64_MAX, 1), Style::kLines), " 100 %");
  EXPECT_EQ(PartOf(7, 0), 0);
}

TEST(Chunker, KnowsNoTotalWithAStream) {
  Streams streams;
  const InputFile file{"a.csv", 10, 0};
  EXPECT_EQ(Chunker({file, file}, {}, streams).bytes_total(), 20U);
  EXPECT_EQ(Chunker({file, {"fifo", 0, 0, true}}, {}, streams).bytes_total(), 0U);
}

TEST(ProbePhase, TakesNoMoreNamesThanThereMayBe) {
  using batch::FrameKind;
  Streams streams;
  Chunker chunker({}, {}, streams);
  const std::string name(ProbeResult::kNameBytesMax / ProbeResult::kFieldsMax, 'n');
  ProbePhase many(chunker);
  for (std::size_t i = 0; i < ProbeResult::kFieldsMax; ++i) {
    ASSERT_TRUE(many.Take(0, {FrameKind::kField, 0, name}).ok());
  }
  EXPECT_EQ(many.Take(0, {FrameKind::kField, 0, ""}).error().message,
            "a worker has written what makes no sense");
  EXPECT_EQ(many.result().fields.size(), ProbeResult::kFieldsMax);
  ProbePhase long_ones(chunker);
  const std::string longest(ProbeResult::kNameBytesMax, 'n');
  ASSERT_TRUE(long_ones.Take(0, {FrameKind::kField, 0, longest}).ok());
  EXPECT_FALSE(long_ones.Take(0, {FrameKind::kField, 0, "n"}).ok());
  EXPECT_FALSE(ProbePhase(chunker).Take(0, {FrameKind::kOutput, 0, "n"}).ok());
}

TEST(Chunker, SaysThatAHeaderIsTooLong) {
  const std::string path = ::testing::TempDir() + "header-" + std::to_string(getpid());
  std::vector<char> slot(Chunker::SlotBytes({}));
  const auto fill = [&](std::size_t header, std::size_t chunk_bytes) {
    EXPECT_TRUE(
        WriteFileAtomically(path, "\n" + std::string(header - 1, 'n') + "\n" + "row\n").ok());
    Streams streams;
    Chunker chunker({{path, 0, 0}}, {chunk_bytes, '"', true}, streams);
    Chunk chunk;
    const Result<bool> filled = chunker.Fill(slot.data(), chunk);
    return filled.ok() ? std::to_string(chunk.header) : filled.error().message;
  };
  EXPECT_EQ(fill(batch::kHeaderRoom, 4 << 20), "65536");
  EXPECT_EQ(fill(batch::kHeaderRoom + 1, 4 << 20),
            "`" + path + "`:1: a header of more than 65536 bytes");
  EXPECT_EQ(fill(5000, 4096), "`" + path + "`:1: a header of more than 4096 bytes");
  unlink(path.c_str());
}

TEST(Spool, SaysWhereItWrites) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit none{1, before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const Result<Extent> unnamed = Spool("", 0).Append("more than there is room for");
  const std::string path = ::testing::TempDir() + "spool-full-" + std::to_string(getpid());
  const Result<Extent> named = Spool(path, 0).Append("more than there is room for");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  unlink(path.c_str());
  ASSERT_FALSE(unnamed.ok() || named.ok());
  EXPECT_EQ(unnamed.error().message, "writing a file in `/var/tmp`: File too large");
  EXPECT_EQ(named.error().message, "writing `" + path + "`: File too large");
}

TEST(Spool, GivesBackWhatItGotFromMemoryAndFile) {
  const std::string path = ::testing::TempDir() + "spool-" + std::to_string(getpid());
  {
    Spool spool(path, 2'000'000);
    std::string all;
    for (int i = 0; i < 40; ++i) {
      const std::string bytes(100'000 + static_cast<std::size_t>(i),
                              static_cast<char>('a' + i % 26));
      const Result<Extent> extent = spool.Append(bytes);
      ASSERT_TRUE(extent.ok());
      EXPECT_EQ(extent.value().offset, all.size());
      all += bytes;
      if (i != 10) continue;
      ASSERT_TRUE(spool.Flush().ok());
    }
    std::string back(all.size(), ' ');
    ASSERT_TRUE(spool.Read({0, all.size()}, back.data()).ok());
    EXPECT_EQ(back, all);
    ASSERT_TRUE(spool.Flush().ok());
    Spool next(path, 1'000);
    ASSERT_TRUE(next.Resume(500'000).ok());
    ASSERT_TRUE(next.Append("end").ok());
    back.resize(500'003);
    ASSERT_TRUE(next.Read({0, 500'003}, back.data()).ok());
    EXPECT_EQ(back, all.substr(0, 500'000) + "end");
  }
  unlink(path.c_str());
}

}  // namespace
}  // namespace runnel
