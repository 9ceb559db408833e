// Random records: prediction changes nothing, simdjson agrees, text reads back.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/pipelines/codecs/support.h"

namespace runnel {
namespace {

using codec_test::DecodeWith;
using codec_test::Describe;
using codec_test::Payload;
using codec_test::TableOf;

// Makes JSON texts from a seed. Few names and shapes, so that a decoder that learns
// meets what it has seen, nearly.
class Generator final {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  std::string Object(int depth) {
    std::string out = "{";
    const int count = Below(7);
    for (int i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      out += Space() + Name() + Space() + ":" + Space() + Value(depth) + Space();
    }
    return out + "}";
  }

  // `text` with a byte or two changed, taken away or added.
  std::string Damage(std::string text) {
    for (int times = 1 + Below(2); times > 0 && !text.empty(); --times) {
      const auto at = static_cast<std::size_t>(Below(static_cast<int>(text.size())));
      const char byte = kBytes[static_cast<std::size_t>(Below(static_cast<int>(kBytes.size())))];
      switch (Below(4)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.erase(at, 1 + static_cast<std::size_t>(Below(3)));
          break;
        case 2:
          text.insert(at, 1, byte);
          break;
        default:
          text.resize(at);
      }
    }
    return text;
  }

 private:
  static constexpr std::string_view kBytes = "{}[]\",:\\u0159.-+eE tfn\x01\x7f\x80\xc3\xa9\xed\xff";

  std::string Space() { return Below(12) == 0 ? std::string(1, " \t\r\n"[Below(4)]) : ""; }
  std::string Name() {
    static constexpr std::string_view kNames[] = {
        "ts",
        "temp",
        "a",
        "b",
        "device",
        "humidity",
        "c\\u0061p",
        "cap",
        "",
        "a_name_of_more_than_sixteen_bytes",
        "a_name_of_more_than_sixteen_bytes_x",
        "a name that is too long for a segment that is remembered",
        "\xc3\xa9t\xc3\xa9"};
    return "\"" + std::string(kNames[Below(std::size(kNames))]) + "\"";
  }
  std::string Digits(int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += static_cast<char>('0' + Below(10));
    return out;
  }
  std::string Number() {
    std::string out = Below(3) == 0 ? "-" : "";
    const int more = Below(Below(3) == 0 ? 22 : 6);
    out += Below(8) == 0 ? "0" : std::to_string(1 + Below(9)) + Digits(more);
    if (Below(2) == 0) out += "." + Digits(1 + Below(Below(4) == 0 ? 20 : 4));
    if (Below(6) == 0) {
      out += Below(2) == 0 ? "e" : "E";
      out += std::string_view("+-")[static_cast<std::size_t>(Below(2))] + Digits(1 + Below(3));
    }
    return out;
  }
  std::string String() {
    static constexpr std::string_view kParts[] = {
        "x",       "dev-0042",       "0123456789abcdef", "\\n",  "/",
        "\\u20ac", "\\ud834\\udd1e", "\xe2\x82\xac",     "\\\"", "{:,}"};
    std::string out = "\"";
    for (int i = Below(4); i > 0; --i) out += kParts[Below(std::size(kParts))];
    return out + "\"";
  }
  std::string Value(int depth) {
    switch (Below(depth > 0 ? 10 : 8)) {
      case 0:
        return "true";
      case 1:
        return "null";
      case 2:
      case 3:
        return String();
      case 8:
        return Object(depth - 1);
      case 9: {
        std::string out = "[";
        for (int i = Below(4); i > 0; --i) out += Value(depth - 1) + (i > 1 ? "," : "");
        return out + "]";
      }
      default:
        return Number();
    }
  }

  std::mt19937_64 random_;
};

TEST(JsonProperty, PredictionNeverChangesAResult) {
  const FieldTable table = TableOf({"ts", "temp", "cap", "a_name_of_more_than_sixteen_bytes"});
  for (const Unmentioned unmentioned : {Unmentioned::kSkip, Unmentioned::kKeep}) {
    Generator generator(1);
    const auto warm = MakeJsonDecoder(table, unmentioned);
    const auto plain = internal::MakePlainJsonDecoder(table, unmentioned);
    int good = 0;
    for (int i = 0; i < 20'000; ++i) {
      std::string text = generator.Object(3);
      if (i % 3 == 0) text = generator.Damage(text);
      const std::string expected = DecodeWith(*plain, table, text, '}');
      ASSERT_EQ(DecodeWith(*warm, table, text, '7'), expected) << text;
      ASSERT_EQ(DecodeWith(*warm, table, text, '"'), expected) << text;
      const auto fresh = MakeJsonDecoder(table, unmentioned);
      ASSERT_EQ(DecodeWith(*fresh, table, text, 'e'), expected) << text;
      good += expected.substr(0, 5) == "json_" ? 0 : 1;
    }
    EXPECT_GT(good, 4'000);
  }
}

// What begins an object is never taken for what goes on in one, nor the other way round:
// of so many names some have the same place in the decoder's memory.
TEST(JsonProperty, PredictionKnowsWhereAnObjectBegins) {
  const FieldTable table = codec_test::TableOf({"a"});
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kSkip);
  const auto refuse = [&](const std::string& text, const char* reason) {
    ASSERT_EQ(codec_test::DecodeWith(*decoder, table, text), reason) << text;
  };
  for (int i = 0; i < 2'000; ++i) {
    const std::string name = "\"n" + std::to_string(i) + "\":";
    codec_test::DecodeWith(*decoder, table, R"({"a":1,"b":2})");
    codec_test::DecodeWith(*decoder, table, "{" + name + "3}");
    refuse(R"({"a":1{)" + name + "2}", "json_bad_object");
    codec_test::DecodeWith(*decoder, table, R"({"a":1,)" + name + "2}");
    refuse("," + name + "2}", "json_not_an_object");
  }
}

// A payload that breaks off, with its own rest behind it in the ring.
TEST(JsonProperty, WhatLiesBehindThePayloadDecidesNothing) {
  const FieldTable table = codec_test::TableOf({"ts", "temp"});
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kKeep);
  const std::string text = R"({"ts":1700000000000, "temp": -3.25,"n":"x","ok":true,"seq":12})";
  const codec_test::Payload whole(text);
  for (int round = 0; round < 2; ++round) {
    codec_test::DecodeWith(*decoder, table, text);
    for (std::size_t size = 0; size < text.size(); ++size) {
      Arena arena(1 << 12);
      Record record(table);
      const Outcome outcome = decoder->Decode(whole.view().substr(0, size), arena, record);
      ASSERT_FALSE(outcome.ok()) << size;
      EXPECT_STREQ(outcome.reason(), "json_unexpected_end") << size;
    }
  }
}

TEST(JsonProperty, EncodedTextReadsBackTheSame) {
  const FieldTable table = TableOf({"ts", "temp", "cap"});
  Generator generator(2);
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kKeep);
  const auto encoder = MakeJsonEncoder();
  for (int i = 0; i < 20'000; ++i) {
    const Payload payload(generator.Object(4));
    Arena arena(1 << 16);
    Record record(table);
    if (!decoder->Decode(payload.view(), arena, record).ok()) continue;
    std::string text;
    ASSERT_TRUE(encoder->Encode(record, text).ok());
    ASSERT_EQ(DecodeWith(*decoder, table, text), Describe(record)) << text;
  }
}

// Whether simdjson's element is this value; numbers by their bits.
bool Same(const Value& value, simdjson::dom::element element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::NULL_VALUE:
      return value.IsNull();
    case element_type::BOOL:
      return value.type() == Type::kBool && value.AsBool() == bool(element);
    case element_type::STRING:
      return value.type() == Type::kString && value.AsString() == std::string_view(element);
    case element_type::INT64:
      // simdjson has no int for `-0`; we keep the sign.
      if (value.type() == Type::kDouble) {
        return std::int64_t(element) == 0 && value.AsDouble() == 0 &&
               std::signbit(value.AsDouble());
      }
      return value.type() == Type::kInt && value.AsInt() == std::int64_t(element);
    case element_type::UINT64:
      return value.type() == Type::kDouble &&
             value.AsDouble() == static_cast<double>(std::uint64_t(element));
    case element_type::DOUBLE:
      return value.type() == Type::kDouble && std::bit_cast<std::uint64_t>(value.AsDouble()) ==
                                                  std::bit_cast<std::uint64_t>(double(element));
    case element_type::ARRAY: {
      const simdjson::dom::array array = element;
      if (value.type() != Type::kList || value.AsList().size() != array.size()) return false;
      auto item = array.begin();
      for (const Value& ours : value.AsList()) {
        if (!Same(ours, *item)) return false;
        ++item;
      }
      return true;
    }
    case element_type::OBJECT: {
      const simdjson::dom::object object = element;
      if (value.type() != Type::kMap || value.AsMap().size() != object.size()) return false;
      auto member = object.begin();
      for (const MapEntry& ours : value.AsMap()) {
        if (ours.key.AsString() != member.key() || !Same(ours.value, member.value())) return false;
        ++member;
      }
      return true;
    }
  }
  return false;
}

bool SameRecord(const Record& record, simdjson::dom::element element) {
  const simdjson::dom::object object = element;
  if (record.entries().size() != object.size()) return false;
  auto member = object.begin();
  for (const Record::Entry& entry : record.entries()) {
    if (record.NameOf(entry) != member.key()) return false;
    if (!Same(record.ValueOf(entry), member.value())) return false;
    ++member;
  }
  return true;
}

// Integers beyond 64 bits are an error there and double here.
bool HasWideInteger(std::string_view text) {
  std::size_t run = 0;
  for (const char c : text) {
    run = c >= '0' && c <= '9' ? run + 1 : 0;
    if (run >= 19) return true;
  }
  return false;
}

TEST(JsonProperty, AgreesWithSimdjson) {
  const FieldTable table = TableOf({"ts", "temp", "cap"});
  Generator generator(3);
  simdjson::dom::parser parser;
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kKeep);
  int both = 0;
  int neither = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text = generator.Object(4);
    if (i % 2 == 0) text = generator.Damage(text);
    const Payload payload(text);
    Arena arena(1 << 16);
    Record record(table);
    const Outcome outcome = decoder->Decode(payload.view(), arena, record);
    simdjson::dom::element element;
    const bool theirs =
        parser.parse(simdjson::padded_string(text)).get(element) == simdjson::SUCCESS;
    if (outcome.ok()) {
      if (!theirs && HasWideInteger(text)) continue;
      ASSERT_TRUE(theirs) << text;
      ASSERT_TRUE(SameRecord(record, element)) << text;
      ++both;
      continue;
    }
    const std::string_view reason = outcome.reason();
    if (reason == "json_duplicate_field" || reason == "json_not_an_object") continue;
    ASSERT_FALSE(theirs) << text << " " << reason;
    ++neither;
  }
  EXPECT_GT(both, 10'000);
  EXPECT_GT(neither, 5'000);
}

// The shortest text is what std::to_chars finds, written our way.
TEST(JsonProperty, DoublesAreWrittenShortAndReadBack) {
  std::mt19937_64 random(4);
  const FieldTable table = TableOf({"a"});
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kSkip);
  for (int i = 0; i < 200'000; ++i) {
    double number = std::bit_cast<double>(random());
    const auto integer = static_cast<std::int64_t>(random());
    if (i % 4 == 1) number = static_cast<double>(integer >> (random() % 60)) / 1000;
    if (i % 4 == 2) number = static_cast<double>(random() % 100'000'000) / 10'000;
    if (i % 4 == 3) number = static_cast<double>(random() % 1'000'000) / 7;
    if (!std::isfinite(number)) continue;
    std::string text = "{\"a\":";
    AppendNumber(number, text);
    const std::size_t size = text.size() - 5;
    text += '}';
    char shortest[64];
    const auto end = std::to_chars(shortest, shortest + sizeof shortest, number).ptr;
    ASSERT_LE(size, static_cast<std::size_t>(end - shortest) + 8) << text;
    const Payload payload(text);
    Arena arena(0);
    Record record(table);
    ASSERT_TRUE(decoder->Decode(payload.view(), arena, record).ok()) << text;
    ASSERT_EQ(record.Get(0).type(), Type::kDouble) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(record.Get(0).AsDouble()),
              std::bit_cast<std::uint64_t>(number))
        << text;
  }
}

}  // namespace
}  // namespace runnel
