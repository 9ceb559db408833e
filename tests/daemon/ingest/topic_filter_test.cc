#include "daemon/ingest/topic_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "pipelines/plan/endpoints.h"

namespace runnel {
namespace {

using ::testing::ElementsAre;

TopicFilter Filter(std::string_view text) {
  Result<TopicFilter> filter = TopicFilter::Parse(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << (filter.ok() ? "" : filter.error().message);
  return filter.ok() ? std::move(filter).value() : TopicFilter();
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char c : text) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return levels;
}

// The words of MQTT 5, section 4.7, as a slow recursion over a filter without `$share`.
bool NaiveMatch(const std::vector<std::string>& filter, const std::vector<std::string>& topic,
                std::size_t f = 0, std::size_t t = 0) {
  if (f == filter.size()) return t == topic.size();
  if (filter[f] == "#") return !(f == 0 && topic[0].starts_with('$'));
  if (t == topic.size()) return false;
  if (filter[f] == "+" && f == 0 && topic[0].starts_with('$')) return false;
  return (filter[f] == "+" || filter[f] == topic[t]) && NaiveMatch(filter, topic, f + 1, t + 1);
}

TEST(TopicFilter, ParsesWhatMqttAllows) {
  const struct {
    std::string_view text, wire, group;
    std::vector<std::string> captures;
  } cases[] = {
      {"a", "a", "", {}},
      {"/", "/", "", {}},
      {"sensors/{device}/climate", "sensors/+/climate", "", {"device"}},
      {"{a}/{b}/+/#", "+/+/+/#", "", {"a", "b"}},
      {"$share/workers/a/{x}/#", "$share/workers/a/+/#", "workers", {"x"}},
      {"$share", "$share", "", {}},
      {"$SYS/#", "$SYS/#", "", {}},
      {"größe/°C", "größe/°C", "", {}},
      {"a//b", "a//b", "", {}},
  };
  for (const auto& test : cases) {
    const TopicFilter filter = Filter(test.text);
    EXPECT_EQ(filter.text(), test.text);
    EXPECT_EQ(filter.wire(), test.wire);
    EXPECT_EQ(filter.share_group(), test.group);
    EXPECT_EQ(filter.captures(), test.captures);
  }
}

TEST(TopicFilter, RefusesWhatABrokerWouldRefuse) {
  using namespace std::string_view_literals;
  const struct {
    std::string_view text, message;
  } cases[] = {
      {"", "a topic filter is empty"},
      {"a/#/b", "the topic filter `a/#/b` has `#` before its last level"},
      {"a/b#", "a wildcard fills a whole level, but the topic filter `a/b#` has `b#`"},
      {"a+/b", "a wildcard fills a whole level, but the topic filter `a+/b` has `a+`"},
      {"a/{x}y",
       "a capture fills a whole level, as in `a/{name}/b`, but the topic filter "
       "`a/{x}y` has `{x}y`"},
      {"a/{}",
       "a capture fills a whole level, as in `a/{name}/b`, but the topic filter "
       "`a/{}` has `{}`"},
      {"a/{1x}",
       "a capture fills a whole level, as in `a/{name}/b`, but the topic filter "
       "`a/{1x}` has `{1x}`"},
      {"{x}/{x}", "the topic filter `{x}/{x}` captures `x` twice"},
      {"$share/g", "the shared subscription `$share/g` is not of the form `$share/GROUP/FILTER`"},
      {"$share/g/", "the shared subscription `$share/g/` is not of the form `$share/GROUP/FILTER`"},
      {"$share//a", "the shared subscription `$share//a` is not of the form `$share/GROUP/FILTER`"},
      {"$share/+/a",
       "the shared subscription `$share/+/a` is not of the form `$share/GROUP/FILTER`"},
      {"a\0b"sv, "the topic filter `a?b` has a NUL character"},
      {"a/\xed\xa0\x80", "the topic filter `a/\xed\xa0\x80` is not valid UTF-8"},
      {"\xc0\xaf", "the topic filter `\xc0\xaf` is not valid UTF-8"},
      {"\xe2\x82", "the topic filter `\xe2\x82` is not valid UTF-8"},
  };
  for (const auto& test : cases) {
    const Result<TopicFilter> filter = TopicFilter::Parse(test.text);
    ASSERT_FALSE(filter.ok()) << test.text;
    EXPECT_EQ(filter.error().message, test.message);
    EXPECT_EQ(filter.error().kind, ErrorKind::kFix);
  }
}

TEST(TopicFilter, KeepsItsLimits) {
  EXPECT_TRUE(TopicFilter::Parse(std::string(65'535, 'a')).ok());
  EXPECT_EQ(TopicFilter::Parse(std::string(65'536, 'a')).error().message,
            "a topic filter of 65536 bytes is longer than 65535");
  EXPECT_TRUE(TopicFilter::Parse(std::string(199, '/')).ok());
  EXPECT_FALSE(TopicFilter::Parse(std::string(200, '/')).ok());
}

TEST(TopicFilter, MatchesAsTheSpecificationSays) {
  const struct {
    std::string_view filter, topic;
    bool matches;
  } cases[] = {
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
      {"sport/tennis/player1/#", "sport/tennis/player11", false},
      {"sport/#", "sport", true},
      {"#", "a/b", true},
      {"#", "/", true},
      {"sport/tennis/+", "sport/tennis/player1", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"#", "$SYS/broker", false},
      {"+/monitor/Clients", "$SYS/monitor/Clients", false},
      {"{x}/monitor", "$SYS/monitor", false},
      {"$SYS/#", "$SYS/broker", true},
      {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
      {"a/#", "a/$x", true},
      {"$share/g/#", "$SYS/x", false},
      {"$share/g/a/+", "a/b", true},
      {"ACCOUNTS", "Accounts", false},
      {"a", "", false},
      {"#", "", false},
  };
  for (const auto& test : cases) {
    const TopicFilter filter = Filter(test.filter);
    EXPECT_EQ(filter.Match(test.topic), test.matches) << test.filter << " on " << test.topic;
    std::uint32_t room[1];
    // Alone it is compared, as one of many it is looked up.
    EXPECT_EQ(TopicMatcher({&filter, 1}).Match(TopicLevels(test.topic), room).size(),
              test.matches ? 1U : 0U)
        << test.filter << " on " << test.topic;
    const std::vector<TopicFilter> many(8, filter);
    std::uint32_t all[8];
    EXPECT_EQ(TopicMatcher(many).Match(TopicLevels(test.topic), all).size(), test.matches ? 8U : 0U)
        << test.filter << " on " << test.topic;
  }
}

TEST(TopicFilter, CapturesLevels) {
  const TopicFilter filter = Filter("{site}/+/{device}/#");
  EXPECT_THAT(filter.captures(), ElementsAre("site", "device"));
  EXPECT_THAT(filter.capture_levels(), ElementsAre(0, 2));
  const TopicLevels levels("berlin/floor/d-7/climate/x");
  EXPECT_EQ(levels[0], "berlin");
  EXPECT_EQ(levels[2], "d-7");
}

TEST(TopicFilter, KnowsWhatIsAroundItsOnlyWildcard) {
  const auto level = [](std::string_view filter, std::string_view topic) {
    const std::optional<TopicFilter::Around> around = Filter(filter).around();
    return around.has_value() ? std::string(around->Level(topic)) : "none";
  };
  EXPECT_EQ(level("sensors/{device}/climate", "sensors/d-7/climate"), "d-7");
  EXPECT_EQ(level("{device}", "d-7"), "d-7");
  EXPECT_EQ(level("a/+", "a/"), "");
  EXPECT_EQ(level("$share/g/{x}/b", "a/b"), "a");
  EXPECT_EQ(level("a/b", "a/b"), "none");
  EXPECT_EQ(level("a/#", "a/b"), "none");
  EXPECT_EQ(level("{a}/+", "a/b"), "none");
}

// Each length of a level, on both sides of the blocks in which it is looked through.
TEST(TopicFilter, FindsASlashInItsOnlyWildcard) {
  for (const std::string_view text : {"{x}", "s/{x}", "{x}/climate", "sensors/{x}/climate"}) {
    const TopicFilter filter = Filter(text);
    const std::string before(text.substr(0, text.find('{')));
    const std::string behind(text.substr(text.find('}') + 1));
    for (std::size_t size = 0; size <= 40; ++size) {
      const std::string level(size, 'd');
      if (std::string topic = before + level + behind; !topic.empty()) {
        EXPECT_TRUE(filter.Match(topic)) << topic;
        EXPECT_FALSE(filter.Match("x" + topic + "/x")) << topic;
      }
      for (std::size_t slash = 0; slash < size; ++slash) {
        std::string other = level;
        other[slash] = '/';
        EXPECT_FALSE(filter.Match(before + other + behind)) << before + other + behind;
      }
    }
  }
}

TEST(TopicFilter, DefaultMatchesNothing) {
  EXPECT_FALSE(TopicFilter().Match("a"));
  EXPECT_FALSE(Overlaps(TopicFilter(), Filter("#")));
}

TEST(TopicFilter, KnowsOverlapAndCover) {
  const struct {
    std::string_view a, b;
    bool overlaps, a_covers_b, b_covers_a;
  } cases[] = {
      {"a/b", "a/b", true, true, true},
      {"a/b", "a/c", false, false, false},
      {"a/+", "a/b", true, true, false},
      {"a/{x}", "a/+", true, true, true},
      {"+/b", "a/+", true, false, false},
      {"a/#", "a", true, true, false},
      {"a/#", "a/+", true, true, false},
      {"a/#", "b/#", false, false, false},
      {"#", "a/b/c", true, true, false},
      {"#", "$SYS/a", false, false, false},
      {"#", "$SYS/#", false, false, false},
      {"+/a", "$SYS/a", false, false, false},
      {"$SYS/#", "$SYS/a", true, true, false},
      {"#", "#", true, true, true},
      {"+", "#", true, false, true},
      {"+/#", "#", true, true, true},
      {"a/+/c", "a/b", false, false, false},
      {"a/+", "a/b/#", true, false, false},
      {"$share/g/a/+", "a/b", true, true, false},
  };
  for (const auto& test : cases) {
    const TopicFilter a = Filter(test.a);
    const TopicFilter b = Filter(test.b);
    EXPECT_EQ(Overlaps(a, b), test.overlaps) << test.a << " and " << test.b;
    EXPECT_EQ(Overlaps(b, a), test.overlaps) << test.b << " and " << test.a;
    EXPECT_EQ(Covers(a, b), test.a_covers_b) << test.a << " over " << test.b;
    EXPECT_EQ(Covers(b, a), test.b_covers_a) << test.b << " over " << test.a;
  }
}

class Random final {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  std::string Levels(std::string_view alphabet) {
    std::string text;
    const std::size_t levels = 1 + engine_() % 4;
    for (std::size_t i = 0; i < levels; ++i) {
      if (i > 0) text += '/';
      const char c = alphabet[engine_() % alphabet.size()];
      if (c == '#') return text + '#';
      if (c == '$' && i == 0) text += "$s";
      if (c != '_' && c != '$') text += c;
    }
    return text.empty() ? "a" : text;
  }

 private:
  std::mt19937 engine_;
};

TEST(TopicFilter, AgreesWithANaiveMatcher) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Random random(seed);
    std::vector<TopicFilter> filters;
    for (int i = 0; i < 40; ++i) filters.push_back(Filter(random.Levels("ab_$++#")));
    const TopicMatcher matcher(filters);
    std::vector<std::uint32_t> room(filters.size());
    for (int i = 0; i < 100; ++i) {
      const std::string topic = random.Levels("aab_$");
      std::vector<std::uint32_t> expected;
      for (std::uint32_t k = 0; k < filters.size(); ++k) {
        const bool matches = NaiveMatch(Split(filters[k].text()), Split(topic));
        if (matches) expected.push_back(k);
        EXPECT_EQ(filters[k].Match(topic), matches) << filters[k].text() << " on " << topic;
        EXPECT_EQ(TopicMatches(filters[k].text(), topic), matches)
            << filters[k].text() << " on " << topic;
      }
      EXPECT_THAT(matcher.Match(TopicLevels(topic), room), ::testing::ElementsAreArray(expected))
          << "seed " << seed << ", topic " << topic;
    }
  }
}

TEST(TopicFilter, OverlapAndCoverAgreeWithAllShortTopics) {
  std::vector<std::string> topics = {"", "a", "b", "z", "$s"};
  for (std::size_t from = 0, depth = 2; depth <= 5; ++depth) {
    const std::size_t until = topics.size();
    for (; from < until; ++from) {
      for (std::size_t level = 0; level < 5; ++level) {
        topics.push_back(topics[from] + "/" + topics[level]);
      }
    }
  }
  std::erase(topics, "");
  Random random(7);
  for (int i = 0; i < 2'000; ++i) {
    const TopicFilter a = Filter(random.Levels("ab_$++#"));
    const TopicFilter b = Filter(random.Levels("ab_$++#"));
    if (a.text() == "/#" || b.text() == "/#") continue;
    bool overlaps = false;
    bool covers = true;
    for (const std::string& topic : topics) {
      overlaps = overlaps || (a.Match(topic) && b.Match(topic));
      covers = covers && (a.Match(topic) || !b.Match(topic));
    }
    EXPECT_EQ(Overlaps(a, b), overlaps) << a.text() << " and " << b.text();
    EXPECT_EQ(Covers(a, b), covers) << a.text() << " over " << b.text();
  }
}

// As a loop over the characters finds them.
TEST(TopicLevels, AgreeWithANaiveSplit) {
  Random random(11);
  for (int i = 0; i < 2'000; ++i) {
    std::string topic = random.Levels("aab_$");
    if (i % 3 == 0) topic += random.Levels("ab") + "/\xc3\xa4\xaf/\xff" + random.Levels("ab");
    const TopicLevels levels(topic);
    std::vector<std::string> found;
    for (std::size_t k = 0; k < levels.size(); ++k) found.emplace_back(levels[k]);
    EXPECT_EQ(found, Split(topic)) << topic;
  }
  EXPECT_EQ(TopicLevels("").size(), 0U);
}

TEST(TopicLevels, WhatIsBehindTheLastCountsAsOne) {
  const std::string slashes(kTopicLevelsMax + 5, '/');
  const TopicLevels levels(slashes);
  EXPECT_EQ(levels.size(), kTopicLevelsMax + 1);
  EXPECT_EQ(levels[kTopicLevelsMax], "/////");
  EXPECT_TRUE(Filter("+/#").Match(slashes));
  EXPECT_FALSE(Filter(std::string(kTopicLevelsMax - 1, '/')).Match(slashes));
}

TEST(TopicMatcher, FindsEachOfAThousandFilters) {
  std::vector<TopicFilter> filters;
  for (int i = 0; i < 1'000; ++i) {
    filters.push_back(Filter("site/" + std::to_string(i) + "/{device}/climate"));
  }
  filters.push_back(Filter("site/+/+/climate"));
  const TopicMatcher matcher(filters);
  std::vector<std::uint32_t> room(filters.size());
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    EXPECT_THAT(matcher.Match(TopicLevels("site/" + std::to_string(i) + "/d/climate"), room),
                ElementsAre(i, 1'000));
  }
  EXPECT_TRUE(matcher.Match(TopicLevels("site/5/d"), room).empty());
}

TEST(TopicMatcher, WithoutFiltersMatchesNothing) {
  EXPECT_TRUE(TopicMatcher({}).Match(TopicLevels("a/b"), {}).empty());
}

}  // namespace
}  // namespace runnel
