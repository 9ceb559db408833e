// What the reader prints about mistakes is in tests/config/cases/options.txt.
#include "pipelines/spec/schema.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

using namespace std::chrono_literals;

enum class Policy { kBlock, kDropNewest };

struct Inner {
  std::string field;
  std::int64_t weight = 1;
  static void Describe(Schema<Inner>& schema) {
    schema.Shorthand("field");
    schema.Required("field", &Inner::field, "Name.").Example("temp");
    schema.Optional("weight", &Inner::weight, "Weight.").AtLeast(1);
  }
};

struct Options {
  Duration per{};
  std::int64_t count = 5;
  double ratio = 0.25;
  bool keep = true;
  ByteSize size = KiB(64);
  Policy policy = Policy::kDropNewest;
  std::string topic = "a b";
  std::vector<std::int64_t> numbers = {1, 2};
  std::vector<std::pair<std::string, Inner>> inners;
  std::optional<Duration> lateness;
  Node any;

  static void Describe(Schema<Options>& schema) {
    schema.Required("per", &Options::per, "Length.").AtLeast(1ms).Example("10s");
    schema.Optional("count", &Options::count, "Count.").Between(1, 10).Or("many", 10);
    schema.Optional("ratio", &Options::ratio, "Ratio.").AtMost(0.5);
    schema.Optional("keep", &Options::keep, "Keep.");
    schema.Optional("size", &Options::size, "Size.");
    schema.Optional("policy", &Options::policy, "Policy.")
        .OneOf({{"block", Policy::kBlock}, {"drop_newest", Policy::kDropNewest}});
    schema.Optional("topic", &Options::topic, "Topic.");
    schema.Optional("numbers", &Options::numbers, "Numbers.");
    schema.Optional("inners", &Options::inners, "Inners.");
    schema.Optional("lateness", &Options::lateness, "Lateness.");
    schema.Optional("any", &Options::any, "Any.");
  }
};

struct Names {
  std::vector<std::pair<std::string, std::string>> values;
  static void Describe(Schema<Names>& schema) {
    schema.Whole(&Names::values, "A value for each name.").NotEmpty();
  }
};

Node Map(std::vector<std::pair<std::string, Node>> members) {
  Node map;
  map.kind = Node::Kind::kMap;
  for (auto& [key, value] : members) map.members.push_back({key, {}, std::move(value)});
  return map;
}
Node Plain(std::string text) { return Node::Scalar(std::move(text), false, {}); }

TEST(Read, KeepsDefaultsOfWhatIsNotThere) {
  Diagnostics diagnostics;
  const auto options = Read<Options>(Map({{"per", Plain("10s")}}), "x", diagnostics);
  ASSERT_TRUE(options.has_value()) << diagnostics.Format();
  EXPECT_EQ(options->per, 10s);
  EXPECT_EQ(options->count, 5);
  EXPECT_EQ(options->lateness, std::nullopt);
  EXPECT_EQ(options->numbers, (std::vector<std::int64_t>{1, 2}));
}

TEST(Read, ReadsEveryType) {
  Diagnostics diagnostics;
  Node numbers;
  numbers.kind = Node::Kind::kSequence;
  numbers.items = {Plain("-7")};
  const auto options =
      Read<Options>(Map({{"per", Plain("1h30m")},
                         {"count", Plain("many")},
                         {"ratio", Plain("-1e2")},
                         {"keep", Plain("false")},
                         {"size", Plain("512")},
                         {"policy", Plain("block")},
                         {"topic", Plain("5")},
                         {"numbers", numbers},
                         {"inners", Map({{"b", Plain("t")}, {"a", Map({{"field", Plain("u")}})}})},
                         {"lateness", Plain("2s")},
                         {"any", numbers}}),
                    "x", diagnostics);
  ASSERT_TRUE(options.has_value()) << diagnostics.Format();
  EXPECT_EQ(options->per, 90min);
  EXPECT_EQ(options->count, 10);
  EXPECT_EQ(options->ratio, -100);
  EXPECT_FALSE(options->keep);
  EXPECT_EQ(options->size.bytes, 512);
  EXPECT_EQ(options->policy, Policy::kBlock);
  EXPECT_EQ(options->topic, "5");
  EXPECT_EQ(options->numbers, (std::vector<std::int64_t>{-7}));
  ASSERT_EQ(options->inners.size(), 2u);
  EXPECT_EQ(options->inners[0].first, "b");
  EXPECT_EQ(options->inners[0].second.field, "t");
  EXPECT_EQ(options->inners[1].second.field, "u");
  EXPECT_EQ(options->lateness, std::optional<Duration>(2s));
  EXPECT_EQ(options->any.items.size(), 1u);
}

TEST(Read, TakesTheWholeNodeWhereTheComponentHasNoNames) {
  Diagnostics diagnostics;
  const auto names = Read<Names>(Map({{"z", Plain("1")}, {"a", Plain("2")}}), "set", diagnostics);
  ASSERT_TRUE(names.has_value()) << diagnostics.Format();
  EXPECT_EQ(names->values[0].first, "z");
  EXPECT_EQ(names->values[1].second, "2");
  EXPECT_FALSE(Read<Names>(Map({}), "set", diagnostics).has_value());
  EXPECT_FALSE(Read<Names>(Plain("x"), "set", diagnostics).has_value());
  EXPECT_FALSE(Read<Names>(Node(), "set", diagnostics).has_value());
  EXPECT_EQ(diagnostics.Format(),
            "error: `set` has no value\n"
            "error: `set` is empty\n"
            "error: `set` is not a map, found text\n");
}

TEST(Describe, SaysAllOfEachOption) {
  const std::vector<OptionDoc> docs = Describe<Options>();
  std::string text;
  for (const OptionDoc& doc : docs) {
    text += doc.name + " | " + doc.type + " | " + doc.default_text + " | " + doc.range + " | " +
            (doc.required ? "required" : "optional") + "\n";
  }
  EXPECT_EQ(text,
            "per | duration |  | at least 1ms | required\n"
            "count | integer or many | 5 | 1 to 10 | optional\n"
            "ratio | number | 0.25 | at most 0.5 | optional\n"
            "keep | boolean | true |  | optional\n"
            "size | size | 64KiB |  | optional\n"
            "policy | one of block, drop_newest | drop_newest |  | optional\n"
            "topic | text | \"a b\" |  | optional\n"
            "numbers | list of integer | [1, 2] |  | optional\n"
            "inners | map of options |  |  | optional\n"
            "lateness | duration |  |  | optional\n"
            "any | any |  |  | optional\n");
  EXPECT_EQ(docs[0].description, "Length.");
  EXPECT_EQ(docs[0].example, "10s");
  EXPECT_EQ(docs[5].choices, (std::vector<std::string>{"block", "drop_newest"}));
  ASSERT_EQ(docs[8].nested.size(), 2u);
  EXPECT_TRUE(docs[8].nested[0].shorthand);
  EXPECT_FALSE(docs[8].nested[1].shorthand);
}

TEST(ByteSize, ReadsAndPrints) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"0", 0},          {"512", 512},        {"512B", 512},
      {"64KiB", 65'536}, {"4MiB", 4'194'304}, {"8GiB", 8'589'934'592},
  };
  for (const auto& [text, bytes] : cases) {
    ASSERT_TRUE(ParseByteSize(text).has_value()) << text;
    EXPECT_EQ(ParseByteSize(text)->bytes, bytes);
  }
  for (const char* text : {"", "B", "-1", "+1", "1.5KiB", "64KB", "64 KiB", "64K", "1TiB", "010",
                           "9999999999GiB", "99999999999999999999"}) {
    EXPECT_EQ(ParseByteSize(text), std::nullopt) << text;
  }
  EXPECT_EQ(FormatByteSize({0}), "0B");
  EXPECT_EQ(FormatByteSize({1000}), "1000B");
  EXPECT_EQ(FormatByteSize(KiB(64)), "64KiB");
  EXPECT_EQ(FormatByteSize(MiB(2048)), "2GiB");
}

}  // namespace
}  // namespace runnel
