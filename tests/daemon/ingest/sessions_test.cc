#include "daemon/ingest/sessions.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

std::vector<WantedFilter> Wanted(const std::vector<std::pair<const char*, int>>& filters) {
  std::vector<WantedFilter> wanted;
  for (const auto& [text, qos] : filters) {
    wanted.push_back({wanted.size(), TopicFilter::Parse(text).value(), qos});
  }
  return wanted;
}

// `filter@qos …|pipelines` for each session.
std::string Describe(const std::vector<PlannedSession>& sessions) {
  std::string text;
  for (const PlannedSession& session : sessions) {
    if (!text.empty()) text += " ; ";
    for (const PlannedSubscription& subscription : session.subscriptions) {
      text += subscription.filter.wire() + "@" + std::to_string(subscription.qos) + " ";
    }
    text += "|";
    for (const std::size_t pipeline : session.pipelines) text += std::to_string(pipeline);
  }
  return text;
}

struct Case {
  const char* name;
  std::vector<std::pair<const char*, int>> wanted;
  const char* expected;
};

TEST(PlanSessions, GivesEverySessionEveryMessageOnce) {
  const Case cases[] = {
      {"apart", {{"a/+", 1}, {"b/+", 0}}, "a/+@1 b/+@0 |01"},
      {"equal", {{"a/{x}", 0}, {"a/+", 1}}, "a/+@1 |01"},
      {"covered later", {{"a/#", 1}, {"a/b", 2}}, "a/#@2 |01"},
      {"covered earlier", {{"a/b", 2}, {"a/c", 1}, {"a/#", 0}}, "a/#@2 |012"},
      {"in part", {{"a/+/c", 1}, {"a/b/+", 1}}, "a/+/c@1 |0 ; a/b/+@1 |1"},
      {"third fits the second",
       {{"a/+/c", 1}, {"a/b/+", 1}, {"a/b/d", 1}},
       "a/+/c@1 a/b/d@1 |02 ; a/b/+@1 |1"},
      {"shared beside plain", {{"a/b", 1}, {"$share/g/a/b", 1}}, "a/b@1 |0 ; $share/g/a/b@1 |1"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(Describe(PlanSessions(Wanted(each.wanted))), each.expected) << each.name;
  }
}

}  // namespace
}  // namespace runnel
