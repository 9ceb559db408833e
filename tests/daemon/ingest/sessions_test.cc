#include "daemon/ingest/sessions.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

std::vector<WantedFilter> Wanted(const std::vector<std::pair<const char*, int>>& filters) {
  std::vector<WantedFilter> wanted;
  for (const auto& [text, qos] : filters) {
    const std::string name = "p" + std::to_string(wanted.size());
    wanted.push_back({wanted.size(), TopicFilter::Parse(text).value(), qos, name});
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
      {"in part below a wider one",
       {{"a/#", 1}, {"a/+/c", 1}, {"a/b/+", 1}},
       "a/#@1 |01 ; a/b/+@1 |2"},
      {"shared beside plain", {{"a/b", 1}, {"$share/g/a/b", 1}}, "a/b@1 |0 ; $share/g/a/b@1 |1"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(Describe(PlanSessions(Wanted(each.wanted), {})), each.expected) << each.name;
  }
}

struct KnownCase {
  const char* name;
  std::vector<std::pair<const char*, int>> wanted;
  std::vector<std::vector<const char*>> known;
  const char* expected;
};

// What waits at the broker comes over the session that had the filter.
TEST(PlanSessions, AFilterStaysWhereItIs) {
  const KnownCase cases[] = {
      {"a neighbour in front of it",
       {{"a/b/+", 1}, {"a/+/c", 1}},
       {{"a/+/c"}},
       "a/+/c@1 |1 ; a/b/+@1 |0"},
      {"the first session is given up", {{"a/b/+", 1}}, {{"a/+/c"}, {"a/b/+"}}, "| ; a/b/+@1 |0"},
      {"a wider neighbour in front, which it rides on",
       {{"a/#", 1}, {"a/+/c", 1}, {"a/b/+", 1}},
       {{"a/+/c"}, {"a/b/+"}},
       "a/#@1 |01 ; a/b/+@1 |2"},
      {"the wider one is gone",
       {{"a/b/+", 1}, {"a/+/c", 1}},
       {{"x"}, {"a/#"}},
       "a/+/c@1 |1 ; a/b/+@1 |0"},
      {"nothing of what is known", {{"a/b", 1}}, {{}, {"x"}}, "a/b@1 |0 ; |"},
      {"another group is another filter",
       {{"$share/g/a", 1}, {"a", 1}},
       {{"a"}},
       "a@1 |1 ; $share/g/a@1 |0"},
      {"one that rode, and a new one in front",
       {{"a/+/c", 1}, {"a/#", 1}, {"a/b/+", 1}},
       {{"a/#", "p1=a/#", "p2=a/b/+"}},
       "a/#@1 |12 ; a/+/c@1 |0"},
      {"another filter of a pipeline",
       {{"a/+/c", 1}, {"a/d", 1}},
       {{"a/+/c", "p0=a/+/c"}, {"b/#", "p1=b/#"}},
       "a/+/c@1 |0 ; a/d@1 |1"},
      {"what is its own comes before what has the same",
       {{"a", 1}},
       {{"a"}, {"a", "p0=a"}},
       "| ; a@1 |0"},
      {"nobody wants anything", {}, {{"a"}}, "|"},
  };
  for (const KnownCase& each : cases) {
    std::vector<std::vector<KnownFilter>> known;
    for (const std::vector<const char*>& filters : each.known) {
      known.emplace_back();
      for (const std::string text : filters) {
        // `pipeline=filter` or a subscription.
        const std::size_t sign = text.find('=');
        const bool is_own = sign != std::string::npos;
        known.back().push_back({TopicFilter::Parse(is_own ? text.substr(sign + 1) : text).value(),
                                is_own ? text.substr(0, sign) : ""});
      }
    }
    EXPECT_EQ(Describe(PlanSessions(Wanted(each.wanted), known)), each.expected) << each.name;
  }
}

TEST(PlanSessions, PlacesComeBackAndDamageIsSeen) {
  const std::vector<FilterPlace> places = {{"p", "a/+", 0}, {"other", "b\n/#", 3}};
  const std::string bytes = EncodePlaces(places);
  ASSERT_TRUE(DecodePlaces(bytes).ok());
  EXPECT_EQ(DecodePlaces(bytes).value(), places);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodePlaces(std::string_view(bytes).substr(0, i)).ok()) << i;
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodePlaces(damaged).ok()) << i;
  }
}

}  // namespace
}  // namespace runnel
