#include "daemon/uplink/publisher.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>

#include "daemon/journal/dead_letter.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

// A sink that remembers and answers when told.
class FakeSink final : public Sink {
 public:
  std::size_t Room() const override { return room; }
  void Publish(const SinkRecord& record, std::uint64_t context) override {
    sent.push_back(std::string(record.topic) + "=" + std::string(record.payload));
    ids.push_back(std::string(record.id));
    contexts.push_back(context);
    --room;
  }
  std::size_t room = 100;
  std::vector<std::string> sent;
  std::vector<std::string> ids;
  std::vector<std::uint64_t> contexts;
};

class PublisherTest : public testing::Test {
 protected:
  PublisherTest() : letters_((folder_ = Folder()) + "/state", "p", 4 << 20) {
    TaskSizes sizes;
    sizes.in_ring = sizes.out_ring = 16 * 1024;
    sizes.state = 1 << 16;
    files_ = TaskFiles::Prepare(folder_ + "/task", sizes, 0xabc).value();
    const WorkLayout layout = LayoutOfWork(files_.work_header);
    page_ = Mapping::Map(files_.work.get(), 0, layout.ring, Access::kWrite).value();
    ring_ =
        Mapping::MapTwice(files_.work.get(), layout.ring, sizes.out_ring, Access::kWrite).value();
    settle_ = Mapping::Map(files_.settle.get(), 0, PageSize(), Access::kRead).value();
    work_ = reinterpret_cast<WorkPage*>(page_.data());
    writer_.emplace(ring_.data(), ring_.size(), work_->out_head, Settle().settled);
    Start();
  }
  ~PublisherTest() override { std::filesystem::remove_all(folder_); }

  static std::string Folder() {
    char pattern[] = "/tmp/runnel-publisher-test-XXXXXX";
    return mkdtemp(pattern);
  }
  const SettlePage& Settle() { return *reinterpret_cast<const SettlePage*>(settle_.data()); }
  // A new uplink process.
  void Start() {
    publisher_ =
        std::make_unique<Publisher>([this](const Error& e) { errors_.push_back(e.message); });
    Publisher::Source source;
    source.id = {"p", 0, 1};
    source.reader = OutReader::Open(files_.work.get(), files_.settle.get()).value();
    source.worker_bell = Doorbell::Create().value();
    source.sinks = &bindings_;
    source.dead_letters = &letters_;
    publisher_->Add(std::move(source));
  }
  void Write(OutputKind kind, std::uint64_t sequence, std::string_view topic,
             std::string_view payload, std::uint64_t tag = 0) {
    RecordHeader header{};
    header.tag = tag;
    header.kind = static_cast<std::uint8_t>(kind);
    header.sequence = sequence;
    writer_->Append(header, topic, {payload});
    writer_->Publish();
  }
  void Complete(std::size_t which, Delivered delivered, std::string reason = {}) {
    publisher_->Complete({sink_.contexts[which], delivered, std::move(reason)});
    publisher_->Run();
  }

  std::string folder_;
  TaskFiles files_;
  Mapping page_, ring_, settle_;
  WorkPage* work_ = nullptr;
  std::optional<RingWriter> writer_;
  FakeSink sink_;
  std::vector<SinkBinding> bindings_{{0, &sink_, "client/", 1, false}};
  DeadLetterFile letters_;
  std::vector<std::string> errors_;
  std::unique_ptr<Publisher> publisher_;
};

TEST_F(PublisherTest, SettlesInOrderWhateverTheOrderOfTheAcknowledgements) {
  for (std::uint64_t i = 0; i < 3; ++i) Write(OutputKind::kResult, i, "t", std::to_string(i));
  publisher_->Run();
  EXPECT_EQ(sink_.sent, (std::vector<std::string>{"t=0", "t=1", "t=2"}));
  EXPECT_EQ(sink_.ids[2], "client/p/0.1/0000000000000abc/2");
  Complete(2, Delivered::kAcknowledged);
  EXPECT_EQ(Settle().settled.load(), 0u);
  Complete(0, Delivered::kAcknowledged);
  EXPECT_EQ(CurrentState(Settle()).sequence, 1u);
  Complete(1, Delivered::kAcknowledged);
  EXPECT_EQ(CurrentState(Settle()).sequence, 3u);
  EXPECT_EQ(CurrentState(Settle()).published, 3u);
  EXPECT_TRUE(publisher_->Drained());
}

TEST_F(PublisherTest, KeepsToTheRoomOfTheSink) {
  sink_.room = 2;
  for (std::uint64_t i = 0; i < 5; ++i) Write(OutputKind::kResult, i, "t", std::to_string(i));
  publisher_->Run();
  EXPECT_EQ(sink_.sent.size(), 2u);
  sink_.room = 1;
  Complete(0, Delivered::kAcknowledged);
  EXPECT_EQ(sink_.sent.size(), 3u);
}

TEST_F(PublisherTest, CountsWhatIsInFlight) {
  EXPECT_EQ(publisher_->LeastInFlight(), 0u);
  for (std::uint64_t i = 0; i < 3; ++i) Write(OutputKind::kResult, i, "t", std::to_string(i));
  publisher_->Run();
  EXPECT_EQ(publisher_->LeastInFlight(), 3u);
  publisher_->Complete({sink_.contexts[0], Delivered::kAcknowledged, {}});
  publisher_->Complete({sink_.contexts[1], Delivered::kRetry, {}});
  EXPECT_EQ(publisher_->LeastInFlight(), 1u);
  publisher_->Settle();
  EXPECT_EQ(CurrentState(Settle()).sequence, 1u);
}

TEST_F(PublisherTest, PublishesAgainWhatWasCutOff) {
  for (std::uint64_t i = 0; i < 3; ++i) Write(OutputKind::kResult, i, "t", std::to_string(i));
  publisher_->Run();
  publisher_->Complete({sink_.contexts[0], Delivered::kRetry, {}});
  publisher_->Complete({sink_.contexts[1], Delivered::kRetry, {}});
  publisher_->Run();
  EXPECT_EQ(sink_.sent, (std::vector<std::string>{"t=0", "t=1", "t=2", "t=0", "t=1"}));
  EXPECT_EQ(sink_.ids[0], sink_.ids[3]);
}

TEST_F(PublisherTest, ASuccessorGoesOnBehindWhatIsSettled) {
  for (std::uint64_t i = 0; i < 3; ++i) Write(OutputKind::kResult, i, "t", std::to_string(i));
  publisher_->Run();
  Complete(0, Delivered::kAcknowledged);
  Start();
  publisher_->Run();
  EXPECT_EQ(sink_.sent, (std::vector<std::string>{"t=0", "t=1", "t=2", "t=1", "t=2"}));
}

TEST_F(PublisherTest, ARefusedResultGoesToTheDeadLettersAndTheRestGoesOn) {
  Write(OutputKind::kResult, 0, "t", "bad");
  Write(OutputKind::kResult, 1, "t", "good");
  publisher_->Run();
  Complete(1, Delivered::kAcknowledged);
  Complete(0, Delivered::kRejected, "not authorised");
  EXPECT_EQ(CurrentState(Settle()).rejected, 1u);
  EXPECT_EQ(CurrentState(Settle()).published, 1u);
  const std::string file = ReadFile(folder_ + "/state/dead-letters/p.ndjson", 1 << 20).value();
  EXPECT_EQ(file,
            "{\"id\":\"p/0.1/0000000000000abc/0\",\"time\":\"1970-01-01T00:00:00Z\","
            "\"pipeline\":\"p\",\"reason\":\"not authorised\",\"stage\":\"sink\",\"topic\":\"t\","
            "\"payload\":\"bad\"}\n");
}

TEST_F(PublisherTest, AResultGoesToTheSinkOfItsNameOrToTheDeadLetters) {
  FakeSink other;
  bindings_ = {{7, &other, "client/", 1, false}, {0, &sink_, "client/", 1, false}};
  Write(OutputKind::kResult, 0, "t", "0", 7);
  Write(OutputKind::kResult, 1, "t", "1");
  Write(OutputKind::kResult, 2, "t", "2", 8);
  publisher_->Run();
  ASSERT_EQ(other.sent, std::vector<std::string>{"t=0"});
  ASSERT_EQ(sink_.sent, std::vector<std::string>{"t=1"});
  publisher_->Complete({other.contexts[0], Delivered::kAcknowledged, {}});
  Complete(0, Delivered::kAcknowledged);
  EXPECT_TRUE(publisher_->Drained());
  EXPECT_EQ(CurrentState(Settle()).published, 2u);
  EXPECT_EQ(CurrentState(Settle()).rejected, 1u);
  const std::string file = ReadFile(folder_ + "/state/dead-letters/p.ndjson", 1 << 20).value();
  EXPECT_NE(file.find("\"reason\":\"the pipeline does not have its sink any more\",\"stage\":"
                      "\"sink\",\"topic\":\"t\",\"payload\":\"2\"}\n"),
            std::string::npos)
      << file;
  EXPECT_EQ(errors_, std::vector<std::string>());
}

TEST_F(PublisherTest, WritesDeadLettersAndKeepsTheFileBounded) {
  Output output;
  output.reason = "json_bad_number";
  output.stage = "decode";
  output.signal = 11;
  std::string prefix;
  AppendDeadLetterPrefix(output, prefix);
  letters_ = DeadLetterFile(folder_ + "/state", "p", 2000);
  for (std::uint64_t i = 0; i < 40; ++i) {
    Write(OutputKind::kDeadLetter, i, "a/b", prefix + "\xff\x01");
    publisher_->Run();
  }
  EXPECT_TRUE(publisher_->Drained());
  EXPECT_EQ(CurrentState(Settle()).dead_letters, 40u);
  const std::string file = ReadFile(folder_ + "/state/dead-letters/p.ndjson", 1000).value();
  EXPECT_NE(file.find("/39\",\"time\":\"1970-01-01T00:00:00Z\",\"pipeline\":\"p\",\"reason\":"
                      "\"json_bad_number\",\"stage\":\"decode\",\"signal\":11,\"topic\":\"a/b\","
                      "\"payload_base64\":\"/wE=\"}\n"),
            std::string::npos)
      << file;
  EXPECT_LE(std::filesystem::file_size(folder_ + "/state/dead-letters/p.ndjson.1"), 1000u);
}

TEST_F(PublisherTest, DamageStopsTheLaneAndIsReported) {
  Write(OutputKind::kResult, 0, "t", "0");
  work_->out_head.store(1 << 30);
  publisher_->Run();
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_NE(errors_[0].find("the outputs of `p/0.1`: a journal is damaged"), std::string::npos);
  publisher_->Run();
  EXPECT_EQ(errors_.size(), 1u);
}

}  // namespace
}  // namespace runnel
