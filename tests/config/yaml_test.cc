// What ParseYaml prints about mistakes is in cases/yaml.txt.
#include "config/yaml.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

// `{a: 5@1:4, b: [..]}`: text, places of keys and values, quotes as q.
std::string Show(const Node& node) {
  const std::string at =
      "@" + std::to_string(node.position.line) + ":" + std::to_string(node.position.column);
  if (node.IsScalar()) return (node.quoted ? "q'" : "'") + node.text + "'" + at;
  std::string text;
  for (const Node& item : node.items) text += Show(item) + " ";
  for (const Node::Member& member : node.members) {
    text += member.key + "@" + std::to_string(member.position.line) + ":" +
            std::to_string(member.position.column) + "=" + Show(member.value) + " ";
  }
  if (!text.empty()) text.pop_back();
  if (node.IsMap()) return "{" + text + "}" + at;
  return node.IsSequence() ? "[" + text + "]" + at : "null" + at;
}

std::string Parse(std::string_view text, const YamlLimits& limits = {}) {
  Diagnostics diagnostics;
  const std::optional<Node> root = ParseYaml(text, "t", limits, diagnostics);
  EXPECT_EQ(root.has_value(), !diagnostics.has_errors());
  return root ? Show(*root) : diagnostics.Format();
}

TEST(ParseYaml, GivesThePlaceOfEveryKeyAndValue) {
  EXPECT_EQ(Parse("a: 1\nb:\n  c: \"x\"\n  d: [1, 'y']\n"),
            "{a@1:1='1'@1:4 b@2:1={c@3:3=q'x'@3:6 d@4:3=['1'@4:7 q'y'@4:10]@4:6}@3:3}@1:1");
  EXPECT_EQ(Parse("- - x\n  - y\n"), "[['x'@1:5 'y'@2:5]@1:3]@1:1");
  EXPECT_EQ(Parse("\xc3\xbc: \xc3\xb6\xc3\xa4 x\n"), "{\xc3\xbc@1:1='\xc3\xb6\xc3\xa4 x'@1:4}@1:1");
  EXPECT_EQ(Parse("{\xc3\xbc: x, y: z}"), "{\xc3\xbc@1:2='x'@1:5 y@1:8='z'@1:11}@1:1");
  EXPECT_EQ(Parse("\xef\xbb\xbf"
                  "a: 1\r\nb: 2\r\n"),
            "{a@1:1='1'@1:4 b@2:1='2'@2:4}@1:1");
  EXPECT_EQ(Parse("a: &x !  y\n"), "{a@1:1=q'y'@1:10}@1:1");
}

TEST(ParseYaml, TakesNothingForABooleanOrNumber) {
  EXPECT_EQ(Parse("[yes, no, on, off, true, 1_000, 0x1F, 1:30, 2026-01-01, .inf]"),
            "['yes'@1:2 'no'@1:7 'on'@1:11 'off'@1:15 'true'@1:20 '1_000'@1:26 '0x1F'@1:33 "
            "'1:30'@1:39 '2026-01-01'@1:45 '.inf'@1:57]@1:1");
}

TEST(ParseYaml, PutsNothingWhereItsKeyIs) {
  EXPECT_EQ(Parse("a:\nb: ~\nc: null\nd: \"\"\n"),
            "{a@1:1=null@1:1 b@2:1=null@2:1 c@3:1=null@3:1 d@4:1=q''@4:4}@1:1");
  EXPECT_EQ(Parse(""), "null@1:1");
  EXPECT_EQ(Parse("# only a comment\n"), "null@1:1");
  EXPECT_EQ(Parse("---\n...\n"), "null@2:1");
}

TEST(ParseYaml, KeepsTheTextOfBlocks) {
  EXPECT_EQ(Parse("a: |\n  x\n  \ty\nb: >-\n  x\n  y\nc: x\n  y\n"),
            "{a@1:1=q'x\n\ty\n'@1:4 b@4:1=q'x y'@4:4 c@7:1='x y'@7:4}@1:1");
}

TEST(ParseYaml, MergesWhatTheMapItselfDoesNotHave) {
  EXPECT_EQ(Parse("b: &b {x: 1, y: 2}\nm: {y: 3, <<: *b, z: 4}\n"),
            "{b@1:1={x@1:8='1'@1:11 y@1:14='2'@1:17}@1:7 "
            "m@2:1={y@2:5='3'@2:8 x@1:8='1'@1:11 z@2:19='4'@2:22}@2:4}@1:1");
  EXPECT_EQ(Parse("- &a {x: 1}\n- &b {x: 2, y: 3}\n- {<<: [*a, *b]}\n- {\"<<\": 1}\n"),
            "[{x@1:7='1'@1:10}@1:6 {x@2:7='2'@2:10 y@2:13='3'@2:16}@2:6 "
            "{x@1:7='1'@1:10 y@2:13='3'@2:16}@3:3 {<<@4:4='1'@4:10}@4:3]@1:1");
}

TEST(ParseYaml, ExpandsAliasesWithThePlacesOfTheirAnchor) {
  EXPECT_EQ(Parse("- &a [x]\n- *a\n- &s t\n- *s\n"),
            "[['x'@1:7]@1:6 ['x'@1:7]@1:6 't'@3:6 't'@3:6]@1:1");
}

TEST(ParseYaml, KeepsItsLimits) {
  const auto lists = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + "x" +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(Parse(lists(63)).back(), '1');
  EXPECT_EQ(Parse(lists(64)).substr(0, 53),
            "t:1:65: error: more than 64 levels of lists and maps\n");
  YamlLimits limits;
  limits.bytes_max = 4;
  EXPECT_EQ(Parse("a: 1", limits), "{a@1:1='1'@1:4}@1:1");
  EXPECT_EQ(Parse("a: 12", limits), "t: error: the file is larger than 4 bytes\n");
  limits = {};
  limits.nodes_max = 3;
  EXPECT_EQ(Parse("[a, b]", limits), "['a'@1:2 'b'@1:5]@1:1");
  EXPECT_EQ(Parse("[a, b, c]", limits),
            "t:1:8: error: more than 3 values, aliases expanded\n"
            "    1 | [a, b, c]\n      |        ^\n");
  limits = {};
  limits.text_max = 6;
  EXPECT_EQ(Parse("[&a xx, *a]", limits), "['xx'@1:5 'xx'@1:5]@1:1");
  EXPECT_EQ(Parse("[&a xx, *a, y]", limits),
            "t:1:13: error: more than 6 bytes of text, aliases expanded\n"
            "    1 | [&a xx, *a, y]\n      |             ^\n");
}

TEST(ParseYaml, AliasesCountForTheDepth) {
  const std::string base = "- &a " + std::string(40, '[') + "x" + std::string(40, ']') + "\n- ";
  EXPECT_EQ(Parse(base + std::string(22, '[') + "*a" + std::string(22, ']')).front(), '[');
  EXPECT_EQ(Parse(base + std::string(23, '[') + "*a" + std::string(23, ']')).substr(0, 53),
            "t:2:26: error: more than 64 levels of lists and maps\n");
}

TEST(ParseYaml, RefusesWhatIsNotText) {
  const std::pair<std::string, const char*> cases[] = {
      {std::string("a: \0x", 5),
       "t:1:4: error: a NUL byte: this is not a text file\n"
       "    1 | a: ?x\n      |    ^\n"},
      {"a: \x1b", "t:1:4: error: a control character\n    1 | a: ?\n      |    ^\n"},
      {"a: \x7f", "t:1:4: error: a control character\n    1 | a: ?\n      |    ^\n"},
      {"a: \xc2\x85", "t:1:4: error: a control character\n    1 | a: ?\n      |    ^\n"},
      {"a: 1\rb: 2",
       "t:1:5: error: a carriage return without a line feed\n"
       "    1 | a: 1?b: 2\n      |     ^\n"},
      {"\xff\xfe"
       "a",
       "t:1:1: error: a byte that is not UTF-8\n    1 | ??a\n      | ^\n"},
      {"a\n\xc3", "t:2:1: error: a byte that is not UTF-8\n    2 | ?\n      | ^\n"},
      {"\xc0\x80", "t:1:1: error: a byte that is not UTF-8\n    1 | ??\n      | ^\n"},
      {"\xe0\x80\x80", "t:1:1: error: a byte that is not UTF-8\n    1 | ???\n      | ^\n"},
      {"\xed\xa0\x80", "t:1:1: error: a byte that is not UTF-8\n    1 | ???\n      | ^\n"},
      {"\xf4\x90\x80\x80", "t:1:1: error: a byte that is not UTF-8\n    1 | ????\n      | ^\n"},
      {"\xf8\x88\x80\x80\x80",
       "t:1:1: error: a byte that is not UTF-8\n    1 | ?????\n      | ^\n"},
  };
  for (const auto& [text, printed] : cases) EXPECT_EQ(Parse(text), printed);
}

}  // namespace
}  // namespace runnel
