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
#include <set>

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
  int per_round;  // messages, with one kill among them
};
class Kill : public ::testing::TestWithParam<Case> {};
// Mosquitto 2.0.11 loses QoS 2 messages when more of them than it sends ahead (20) wait
// for a client that was killed, whatever the client is; so these rounds are short.
INSTANTIATE_TEST_SUITE_P(All, Kill,
                         ::testing::Values(Case{MqttVersion::k5, 1, 150},
                                           Case{MqttVersion::k311, 1, 150},
                                           Case{MqttVersion::k5, 2, 15},
                                           Case{MqttVersion::k311, 2, 15}),
                         [](const auto& param) {
                           const bool v5 = param.param.version == MqttVersion::k5;
                           return (v5 ? "v5qos" : "v311qos") + std::to_string(param.param.qos);
                         });

// Waits until the child has noted so many different messages, for up to 20 s.
std::size_t WaitForNotes(const Child& child, std::size_t count) {
  std::set<std::string> arrived;
  for (int i = 0; arrived.size() < count && i < 400; ++i) {
    if (i > 0) poll(nullptr, 0, 50);
    for (const Noted& one : child.Messages()) arrived.insert(one.payload);
  }
  return arrived.size();
}

TEST_P(Kill, LosesNothingAndRepeatsAreMarked) {
  const auto [version, qos, per_round] = GetParam();
  Mosquitto broker;
  Child child(broker, version, qos);
  MqttHarness sender(TestOptions(broker.url(), "sender", MqttVersion::k311));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  std::uint64_t sent = 0;
  // The session has its filter once a first message arrives.
  while (child.Messages().empty()) {
    sender.Publish("k/x", "0", 0, sent);
    poll(nullptr, 0, 20);
  }
  std::mt19937 random(20'260'101);
  for (int round = 0; round < 12; ++round) {
    const int kill_at = static_cast<int>(random() % static_cast<unsigned>(per_round));
    for (int i = 0; i < per_round; ++i) {
      ++sent;
      sender.Publish("k/x", std::to_string(sent), qos, sent);
      if (i != kill_at) continue;
      child.Kill();
      child.Start();
    }
    ASSERT_EQ(WaitForNotes(child, sent + 1), sent + 1) << "round " << round;
  }
  std::map<std::string, Noted> seen;
  std::size_t repeats = 0;
  for (const Noted& one : child.Messages()) {
    if (one.payload == "0") continue;
    const auto [first, is_new] = seen.emplace(one.payload, one);
    if (is_new) continue;
    ++repeats;
    EXPECT_EQ(one.packet_id, first->second.packet_id) << one.payload;
    EXPECT_EQ(one.dup, qos == 1 ? 1 : 0) << one.payload;  // Paho hides it for QoS 2
  }
  EXPECT_EQ(seen.size(), sent);
  RecordProperty("repeats", static_cast<int>(repeats));
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
