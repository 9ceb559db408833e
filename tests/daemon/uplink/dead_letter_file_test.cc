#include "daemon/uplink/dead_letter_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

class DeadLetters : public ::testing::Test {
 protected:
  DeadLetters() {
    char pattern[] = "/tmp/runnel-dead-letters-XXXXXX";
    folder_ = mkdtemp(pattern);
    path_ = folder_ + "/dead-letters/p.ndjson";
  }
  ~DeadLetters() override { std::filesystem::remove_all(folder_); }

  static Status Append(DeadLetterFile& file, std::uint64_t sequence) {
    RecordView record;
    record.header.sequence = sequence;
    record.topic = "out/d";
    record.payload = R"({"n":1})";
    return file.AppendRejected({"p", 0, 0}, 1, record, "quota");
  }
  static std::string Line(std::uint64_t sequence) {
    return R"({"id":"p/0.0/0000000000000001/)" + std::to_string(sequence) +
           R"(","time":"1970-01-01T00:00:00Z","pipeline":"p","reason":"quota","stage":"sink",)"
           R"("topic":"out/d","payload":"{\"n\":1}"})"
           "\n";
  }
  std::string Written() const { return ReadFile(path_, 1 << 20).value(); }

  std::string folder_;
  std::string path_;
};

TEST_F(DeadLetters, AWriterThatWasKilledInALineSpoilsOnlyThat) {
  std::filesystem::create_directories(folder_ + "/dead-letters");
  ASSERT_TRUE(WriteFileAtomically(path_, Line(1) + "{\"id\":\"p/0.0").ok());
  DeadLetterFile file(folder_, "p", 1 << 20);
  ASSERT_TRUE(Append(file, 2).ok());
  ASSERT_TRUE(Append(file, 3).ok());
  EXPECT_EQ(Written(), Line(1) + "{\"id\":\"p/0.0\n" + Line(2) + Line(3));
}

// By somebody who has read it, while the uplink goes on writing.
TEST_F(DeadLetters, AFileThatWasMovedOrDeletedIsBegunAnew) {
  DeadLetterFile file(folder_, "p", 2 * 3 * Line(1).size());
  ASSERT_TRUE(Append(file, 1).ok());
  std::filesystem::rename(path_, path_ + ".read");
  ASSERT_TRUE(Append(file, 2).ok());
  EXPECT_EQ(Written(), Line(2));
  std::filesystem::remove_all(folder_ + "/dead-letters");
  for (std::uint64_t sequence = 3; sequence < 8; ++sequence) {
    ASSERT_TRUE(Append(file, sequence).ok());
  }
  EXPECT_EQ(ReadFile(path_ + ".1", 1 << 20).value() + Written(),
            Line(3) + Line(4) + Line(5) + Line(6) + Line(7));
}

// A file system that is full takes a part of a line.
TEST_F(DeadLetters, ALineThatDoesNotFitLeavesNothing) {
  DeadLetterFile file(folder_, "p", 1 << 20);
  ASSERT_TRUE(Append(file, 1).ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit full{Line(1).size() + 10, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  const Status failed = Append(file, 2);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message, "writing `" + path_ + "`: No space left on device");
  EXPECT_EQ(Written(), Line(1));
  ASSERT_TRUE(Append(file, 3).ok());
  EXPECT_EQ(Written(), Line(1) + Line(3));
}

}  // namespace
}  // namespace runnel
