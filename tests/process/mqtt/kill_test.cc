// A subscriber that is killed -9 again and again loses nothing, and what comes again can
// be recognised.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <random>

#include "tests/support/mosquitto.h"
#include "tests/support/mqtt_harness.h"

namespace runnel {
namespace {

using namespace runnel::testing;

struct Noted {
  int packet_id = 0;
  int dup = 0;
  std::string payload;
};

class Child final {
 public:
  Child(const Mosquitto& broker, MqttVersion version, int qos, std::string status = "")
      : url_(broker.url()),
        version_(version == MqttVersion::k5 ? "5" : "311"),
        qos_(std::to_string(qos)),
        status_(std::move(status)) {
    if (version == MqttVersion::k311 && qos == 2) store_ = folder_.path() + "/inbound";
    Start();
  }
  ~Child() { Kill(); }

  void Start() {
    pid_ = fork();
    if (pid_ != 0) return;
    execl("/proc/self/exe", "process_mqtt_test", "--subscriber", url_.c_str(), "child",
          version_.c_str(), qos_.c_str(), store_.c_str(), status_.c_str(), File().c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::vector<Noted> Messages() const {
    std::vector<Noted> all;
    std::ifstream file(File());
    for (Noted one; file >> one.packet_id >> one.dup >> one.payload;) all.push_back(one);
    return all;
  }

 private:
  std::string File() const { return folder_.path() + "/messages"; }

  TemporaryFolder folder_;
  std::string url_, version_, qos_, store_, status_;
  pid_t pid_ = -1;
};

struct Case {
  MqttVersion version;
  int qos;
};
class Kill : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, Kill,
                         ::testing::Values(Case{MqttVersion::k5, 1}, Case{MqttVersion::k311, 1},
                                           Case{MqttVersion::k5, 2}, Case{MqttVersion::k311, 2}),
                         [](const auto& param) {
                           const bool v5 = param.param.version == MqttVersion::k5;
                           return (v5 ? "v5qos" : "v311qos") + std::to_string(param.param.qos);
                         });

// Publishes in windows and kills between and within them, at moments from a seed.
TEST_P(Kill, LosesNothingAndRepeatsAreMarked) {
  Mosquitto broker;
  Child child(broker, GetParam().version, GetParam().qos);
  MqttHarness sender(TestOptions(broker.url(), "sender", MqttVersion::k311));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  // The session has its filter once a first message arrives.
  for (std::uint64_t i = 1'000'000; child.Messages().empty(); ++i) {
    sender.Publish("k/first", "first", GetParam().qos, i);
    sender.WaitForResults(i - 1'000'000 + 1);
    poll(nullptr, 0, 20);
  }
  std::mt19937 random(20'260'101);
  constexpr int kRounds = 8;
  constexpr int kPerRound = 150;
  std::uint64_t sent = 0;
  const std::size_t before = sender.results().size();
  for (int round = 0; round < kRounds; ++round) {
    const auto kill_at = static_cast<int>(random() % kPerRound);
    for (int i = 0; i < kPerRound; ++i) {
      sender.Publish("k/x", std::to_string(sent), GetParam().qos, sent);
      ++sent;
      if (sent % 100 == 0) sender.WaitForResults(before + sent);
      if (i != kill_at) continue;
      child.Kill();
      child.Start();
    }
  }
  sender.WaitForResults(before + sent);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::map<std::string, Noted> seen;
  while (seen.size() < sent && std::chrono::steady_clock::now() < deadline) {
    poll(nullptr, 0, 50);
    seen.clear();
    for (const Noted& one : child.Messages()) {
      if (one.payload != "first") seen.emplace(one.payload, one);
    }
  }
  EXPECT_EQ(seen.size(), sent);
  seen.clear();
  std::size_t repeats = 0;
  for (const Noted& one : child.Messages()) {
    if (one.payload == "first") continue;
    const auto [first, is_new] = seen.emplace(one.payload, one);
    if (is_new) continue;
    ++repeats;
    EXPECT_EQ(one.packet_id, first->second.packet_id) << one.payload;
    if (GetParam().qos == 1) {
      EXPECT_EQ(one.dup, 1) << one.payload;
    }
  }
  RecordProperty("repeats", static_cast<int>(repeats));
  std::printf("%zu repeats\n", repeats);
}

TEST(Death, PublishesTheWill) {
  Mosquitto broker;
  MqttHarness watcher(TestOptions(broker.url(), "watcher"));
  watcher.Start({Subscription("status")});
  watcher.WaitFor<MqttSubscribed>();
  Child child(broker, MqttVersion::k5, 1, "status");
  watcher.WaitForMessages(1);
  EXPECT_EQ(watcher.messages()[0].payload, "online");
  child.Kill();
  watcher.WaitForMessages(2);
  EXPECT_EQ(watcher.messages()[1].payload, "offline");
}

}  // namespace
}  // namespace runnel
