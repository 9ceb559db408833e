#include "daemon/uplink/suspicion.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace runnel {
namespace {

using std::chrono::seconds;

class SuspicionTest : public testing::Test {
 protected:
  SuspicionTest() {
    char folder[] = "/tmp/runnel-suspicion-XXXXXX";
    folder_ = mkdtemp(folder);
    Begin();
  }
  ~SuspicionTest() override { std::filesystem::remove_all(folder_); }

  void Begin() { suspicion_.emplace(File(), 20U); }
  std::string File() const { return folder_ + "/suspicion.local"; }
  bool Remembers() const { return std::filesystem::exists(File()); }

  // A connection over which these go, as many as may; the broker ends it at `bad`. What was
  // acknowledged is taken out of `results`, and what was given up.
  std::string Connection(std::vector<std::string>& results, const std::string& bad,
                         seconds until_it_ends = seconds(0), bool process_ends = false) {
    now_ += seconds(1);
    suspicion_->Connected(now_);
    std::string given_up;
    for (bool ends = false; !results.empty() && !ends;) {
      const std::size_t some = suspicion_->OneAtATime() ? 1 : results.size();
      for (std::size_t i = 0; i < some; ++i) {
        if (!suspicion_->MayGo(results[i])) {
          given_up += results[i];
          results.erase(results.begin());
          break;
        }
        ends |= results[i] == bad;
        if (ends || i + 1 < some) continue;
        for (std::size_t n = 0; n < some; ++n) suspicion_->Acknowledged();
        results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(some));
      }
    }
    now_ += until_it_ends;
    if (results.empty()) return given_up;
    for (std::size_t i = 0; i < results.size(); ++i) suspicion_->CutOff(now_);
    if (process_ends) {
      suspicion_->CutOffForGood(now_);
      Begin();
    }
    return given_up;
  }

  std::string folder_;
  std::optional<Suspicion> suspicion_;
  Suspicion::Clock::time_point now_ = Suspicion::Clock::now();
};

TEST_F(SuspicionTest, TheOneThatEndsConnectionsIsGivenUpAndNoOther) {
  std::vector<std::string> results = {"a", "b", "X", "c", "d"};
  int connections = 0;
  std::string given_up;
  while (!results.empty()) {
    ASSERT_LT(++connections, 12);
    given_up += Connection(results, "X");
  }
  EXPECT_EQ(given_up, "X");
  EXPECT_EQ(connections, 7);  // three together, three alone, and the rest
  EXPECT_FALSE(suspicion_->OneAtATime());
}

// Where the MQTT library cannot go on behind such a connection.
TEST_F(SuspicionTest, IsRememberedOverTheEndOfTheProcess) {
  std::vector<std::string> results = {"a", "X", "c"};
  std::string given_up;
  for (int i = 0; i < 12 && !results.empty(); ++i) {
    given_up += Connection(results, "X", seconds(0), true);
    EXPECT_EQ(Remembers(), given_up.empty());
  }
  EXPECT_EQ(given_up, "X");
  EXPECT_TRUE(results.empty());
  EXPECT_FALSE(Remembers());
}

TEST_F(SuspicionTest, ConnectionsThatLastForAWhileAreNoSign) {
  std::vector<std::string> results = {"a", "X", "c"};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Connection(results, "X", Suspicion::kSoon), "");
    EXPECT_FALSE(suspicion_->OneAtATime());
  }
}

TEST_F(SuspicionTest, ConnectionsThatEndWithNothingOnTheirWayAreNoSign) {
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> results = {"a", "X", "c"};
    Connection(results, "X");
    results = {"a"};
    Connection(results, "X");
    EXPECT_FALSE(suspicion_->OneAtATime());
  }
}

TEST_F(SuspicionTest, ABadNetworkGivesUpNothingThatPasses) {
  std::vector<std::string> results;
  // Each connection ends at another result.
  for (int i = 0; i < 30; ++i) {
    results.push_back(std::to_string(i));
    EXPECT_EQ(Connection(results, std::to_string(i)), "");
    results.erase(results.begin(), results.end() - 1);
  }
}

TEST_F(SuspicionTest, EndsWhenAllPass) {
  std::vector<std::string> results = {"X"};
  for (int i = 0; i < 3; ++i) Connection(results, "X");
  EXPECT_TRUE(suspicion_->OneAtATime());
  results.assign(30, "a");
  EXPECT_EQ(Connection(results, "X"), "");
  EXPECT_TRUE(results.empty());
  EXPECT_FALSE(suspicion_->OneAtATime());
}

TEST_F(SuspicionTest, AFileThatSaysNothingIsNone) {
  for (const char* text : {"", "x", "3", "99999999999999999999 1 a", "3 3"}) {
    std::filesystem::remove(File());
    FILE* file = fopen(File().c_str(), "w");
    fputs(text, file);
    fclose(file);
    Begin();
    EXPECT_TRUE(suspicion_->MayGo("a")) << text;
  }
}

}  // namespace
}  // namespace runnel
