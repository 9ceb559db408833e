#include "pipelines/spec/diagnostics.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

TEST(Diagnostics, PrintsPlaceLineCaretAndHint) {
  Diagnostics diagnostics;
  diagnostics.AddSource("site.yaml",
                        "name: a\nsteps:\n  - throttle:\n\n        per: 10 seconds\n\n"
                        "        keyz_max: 5\n");
  diagnostics.Error({"site.yaml", 7, 9}, "unknown option `keyz_max` of `throttle`",
                    "did you mean `keys_max`?");
  diagnostics.Error({"site.yaml", 5, 14}, "`per` is not a duration, such as 250ms or 10s");
  EXPECT_EQ(diagnostics.Format(),
            "site.yaml:5:14: error: `per` is not a duration, such as 250ms or 10s\n"
            "    5 |         per: 10 seconds\n"
            "      |              ^\n"
            "site.yaml:7:9: error: unknown option `keyz_max` of `throttle`\n"
            "    7 |         keyz_max: 5\n"
            "      |         ^\n"
            "  hint: did you mean `keys_max`?\n");
  EXPECT_EQ(diagnostics.errors(), 2u);
}

TEST(Diagnostics, PrintsWithoutPlaceWhatHasNone) {
  Diagnostics diagnostics;
  diagnostics.Warning({}, "nothing to do");
  diagnostics.Error({"a.yaml", 0, 0}, "cannot read the file");
  diagnostics.Error({"a.yaml", 3, 1}, "line of a file that is not known");
  EXPECT_EQ(diagnostics.Format(),
            "warning: nothing to do\n"
            "a.yaml: error: cannot read the file\n"
            "a.yaml:3:1: error: line of a file that is not known\n");
}

TEST(Diagnostics, AWarningIsNoError) {
  Diagnostics diagnostics;
  diagnostics.Warning({}, "a");
  EXPECT_FALSE(diagnostics.has_errors());
  diagnostics.Error({}, "b");
  EXPECT_TRUE(diagnostics.has_errors());
}

TEST(Diagnostics, PrintsEqualOnesOnceAndSorted) {
  Diagnostics diagnostics;
  diagnostics.Error({"b", 1, 1}, "x");
  diagnostics.Error({"a", 10, 1}, "x");
  diagnostics.Error({"a", 9, 2}, "x");
  diagnostics.Error({"a", 9, 1}, "x");
  diagnostics.Error({"a", 9, 1}, "x");
  EXPECT_EQ(diagnostics.Format(),
            "a:9:1: error: x\na:9:2: error: x\na:10:1: error: x\nb:1:1: error: x\n");
}

TEST(Diagnostics, PrintsAtMostFifty) {
  for (const int count : {50, 51}) {
    Diagnostics diagnostics;
    for (int i = 1; i <= count; ++i) diagnostics.Error({"a", i, 1}, "x");
    const std::string text = diagnostics.Format();
    EXPECT_EQ(text.find("... and 1 more\n") != std::string::npos, count == 51);
    EXPECT_EQ(text.find("a:51:1") == std::string::npos, true);
  }
}

TEST(Diagnostics, PrintsNoControlCharacters) {
  Diagnostics diagnostics;
  diagnostics.AddSource("a", "\tx\x1b[31m\xc2\x85 \xff \xc3\xa4!\r\n");
  diagnostics.Error({"a", 1, 13}, "bad `\x1b\n`", "h\x07");
  EXPECT_EQ(diagnostics.Format(),
            "a:1:13: error: bad `??`\n"
            "    1 |  x?[31m? ? \xc3\xa4!\n"
            "      |             ^\n"
            "  hint: h?\n");
}

TEST(Diagnostics, ShowsThePartOfALongLineAroundTheCaret) {
  Diagnostics diagnostics;
  diagnostics.AddSource("a", std::string(300, 'x') + "Y" + std::string(300, 'z'));
  diagnostics.Error({"a", 1, 301}, "m");
  EXPECT_EQ(diagnostics.Format(), "a:1:301: error: m\n    1 | ..." + std::string(100, 'x') + "Y" +
                                      std::string(59, 'z') + "...\n      | " +
                                      std::string(103, ' ') + "^\n");
}

TEST(Diagnostics, CutsLongMessages) {
  Diagnostics diagnostics;
  diagnostics.Error({}, std::string(601, 'x'));
  EXPECT_EQ(diagnostics.Format(), "error: " + std::string(600, 'x') + "...\n");
}

TEST(DidYouMean, FindsTheNearest) {
  const std::vector<std::string_view> names = {"per",         "count",    "keys_max",
                                               "windows_max", "lateness", "qos"};
  const std::pair<const char*, const char*> cases[] = {
      {"keyz_max", "keys_max"},
      {"keys-max", "keys_max"},
      {"KeysMax", "keys_max"},
      {"cuont", "count"},
      {"pre", "per"},
      {"pers", "per"},
      {"qso", "qos"},
      {"latenes", "lateness"},
      {"window_max", "windows_max"},
      {"xyz", ""},
      {"", ""},
      {"a", ""},
      {"sum", ""},
      {"PER", "per"},
  };
  for (const auto& [word, expected] : cases) EXPECT_EQ(DidYouMean(word, names), expected) << word;
  EXPECT_EQ(DidYouMean("ab", {"ac", "ad"}), "ac");
  EXPECT_EQ(DidYouMean(std::string(100'000, 'x'), names), "");
  EXPECT_EQ(DidYouMean("x", {}), "");
}

// A typing mistake of one letter is always found.
TEST(DidYouMean, FindsEveryNameWithOneMistake) {
  const std::vector<std::string_view> names = {"per", "count", "keys_max", "windows_max", "topic"};
  for (const std::string_view name : names) {
    for (std::size_t i = 0; i < name.size(); ++i) {
      std::string dropped(name);
      dropped.erase(i, 1);
      EXPECT_EQ(DidYouMean(dropped, names), name);
      std::string changed(name);
      changed[i] = 'q';
      EXPECT_EQ(DidYouMean(changed, names), name);
      std::string doubled(name);
      doubled.insert(i, 1, name[i]);
      EXPECT_EQ(DidYouMean(doubled, names), name);
    }
  }
}

}  // namespace
}  // namespace runnel
