#include "pipelines/codecs/exchange.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "tests/pipelines/codecs/support.h"

namespace runnel {
namespace {

using codec_test::Describe;
using codec_test::TableOf;

std::string Encoded(const Record& record) {
  std::string out;
  EXPECT_TRUE(ExchangeEncoder(record.table()).Encode(record, out).ok());
  return out;
}

// The record of `bytes` described, or the reason.
std::string Decoded(std::string_view bytes, const FieldTable& sender, const FieldTable& receiver,
                    Unmentioned unmentioned = Unmentioned::kKeep,
                    std::size_t arena_size = 1 << 16) {
  Arena arena(arena_size);
  Record record(receiver);
  const Outcome outcome =
      ExchangeDecoder(sender, receiver, unmentioned).Decode(bytes, arena, record);
  return outcome.ok() ? Describe(record) : outcome.reason();
}

class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() : table_(TableOf({"a", "b", "c"})), record_(table_) {
    record_.time = TimeFromMicroseconds(1'700'000'000'123'456);
    record_.arrival = TimeFromMicroseconds(1'700'000'000'200'000);
    record_.topic = "sensors/a";
    record_.Set(2, Value::List(items_));
    record_.Append("x", Value::Map(entries_));
    record_.Set(0, Value::Double(-0.0));
  }

  const Value items_[13] = {Value::Null(),
                            Value::Bool(true),
                            Value::Bool(false),
                            Value::Int(INT64_MIN),
                            Value::Int(INT64_MAX),
                            Value::Uint(UINT64_MAX),
                            Value::Double(std::numeric_limits<double>::quiet_NaN()),
                            Value::String("text"),
                            Value::Bytes("\xff"),
                            Value::Timestamp(-5, 999'999'999),
                            Value::Duration(-5, -1),
                            Value::OfType(Type::kError),
                            Value::List({})};
  const MapEntry entries_[4] = {{Value::String("k"), Value::Int(1)},
                                {Value::Bool(true), Value::Map({})},
                                {Value::Int(-1), Value::List(items_)},
                                {Value::Uint(1), Value::Null()}};
  FieldTable table_;
  Record record_;
};

TEST_F(ExchangeTest, KeepsEverythingOfARecord) {
  const std::string bytes = Encoded(record_);
  EXPECT_EQ(Decoded(bytes, table_, table_), Describe(record_));
  Arena arena(1 << 16);
  Record copy(table_);
  ASSERT_TRUE(ExchangeDecoder(table_, table_, Unmentioned::kKeep).Decode(bytes, arena, copy).ok());
  EXPECT_EQ(copy.time, record_.time);
  EXPECT_EQ(copy.arrival, record_.arrival);
  EXPECT_EQ(copy.topic, "sensors/a");
  EXPECT_EQ(Encoded(copy), bytes);
}

TEST_F(ExchangeTest, KeepsTheEdgesOfTime) {
  for (const std::int64_t time : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    for (const std::int64_t arrival : {INT64_MIN, std::int64_t{0}, INT64_MAX}) {
      record_.time = TimeFromMicroseconds(time);
      record_.arrival = TimeFromMicroseconds(arrival);
      const std::string bytes = Encoded(record_);
      Arena arena(1 << 16);
      Record copy(table_);
      ASSERT_TRUE(
          ExchangeDecoder(table_, table_, Unmentioned::kKeep).Decode(bytes, arena, copy).ok());
      EXPECT_EQ(copy.time, record_.time);
      EXPECT_EQ(copy.arrival, record_.arrival);
    }
  }
}

TEST_F(ExchangeTest, MapsFieldsToTheReceiversTable) {
  const FieldTable receiver = TableOf({"x", "c"});
  Record short_record(table_);
  short_record.Set(0, Value::Int(1));
  short_record.Set(2, Value::Int(3));
  short_record.Append("x", Value::Int(4));
  short_record.Append("y", Value::Int(5));
  const std::string bytes = Encoded(short_record);
  EXPECT_EQ(Decoded(bytes, table_, receiver, Unmentioned::kKeep), "a?3:1 c=3:3 x=3:4 y?3:5 ");
  EXPECT_EQ(Decoded(bytes, table_, receiver, Unmentioned::kSkip), "c=3:3 x=3:4 ");
}

TEST_F(ExchangeTest, RefusesARecordOfAnotherPlan) {
  const std::string bytes = Encoded(record_);
  EXPECT_EQ(Decoded(bytes, TableOf({"a", "c", "b"}), table_), "exchange_other_plan");
  EXPECT_EQ(Decoded(bytes, TableOf({"a", "b"}), table_), "exchange_other_plan");
  EXPECT_EQ(Decoded("", table_, table_), "exchange_other_plan");
}

TEST_F(ExchangeTest, RefusesErrorsAndMissingValues) {
  const Value lists[] = {Value::Error("no_such_field"), Value()};
  for (const Value& bad : lists) {
    Record record(table_);
    record.Append("x", Value::List({&bad, 1}));
    std::string out = "as it was";
    EXPECT_STREQ(ExchangeEncoder(table_).Encode(record, out).reason(), "exchange_bad_value");
    EXPECT_EQ(out, "as it was");
  }
}

TEST_F(ExchangeTest, LimitsDepth) {
  const auto nested = [&](int levels) {
    std::vector<Value> values(static_cast<std::size_t>(levels) + 1, Value::Int(1));
    for (std::size_t i = 1; i < values.size(); ++i) values[i] = Value::List({&values[i - 1], 1});
    Record record(table_);
    record.Set(0, values.back());
    std::string out;
    const Outcome outcome = ExchangeEncoder(table_).Encode(record, out);
    return outcome.ok() ? Decoded(out, table_, table_).substr(0, 2) : std::string(outcome.reason());
  };
  EXPECT_EQ(nested(kExchangeDepthMax - 1), "a=");
  EXPECT_EQ(nested(kExchangeDepthMax), "a=");
  EXPECT_EQ(nested(kExchangeDepthMax + 1), "exchange_bad_value");
}

TEST_F(ExchangeTest, RefusesBytesThatBreakOffOrGoOn) {
  const std::string bytes = Encoded(record_);
  for (std::size_t size = 4; size < bytes.size(); ++size) {
    const std::string_view part = std::string_view(bytes).substr(0, size);
    EXPECT_EQ(Decoded(part, table_, table_), "exchange_bad_record") << size;
  }
  EXPECT_EQ(Decoded(bytes + '\0', table_, table_), "exchange_bad_record");
}

TEST_F(ExchangeTest, RefusesWhatAnEncoderDoesNotWrite) {
  Record empty(table_);
  const std::string head = Encoded(empty);
  const auto with = [&](std::string_view fields, std::size_t arena_size = 1 << 16) {
    const std::string bytes = head.substr(0, head.size() - 1) + std::string(fields);
    return Decoded(bytes, table_, table_, Unmentioned::kKeep, arena_size);
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(with("\x01\x01\x00"sv), "a=1:0 ");
  EXPECT_EQ(with("\x01\x04\x00"sv), "exchange_bad_record");          // no such field
  EXPECT_EQ(with("\x02\x01\x00\x01\x00"sv), "exchange_bad_record");  // the same field twice
  EXPECT_EQ(with("\x01\x01\x0d"sv), "exchange_bad_record");          // no such type
  EXPECT_EQ(with("\x01\x01\x06\x01\xff"sv), "exchange_bad_record");  // text that is not UTF-8
  EXPECT_EQ(with("\x01\x00\x01\xff\x00"sv), "exchange_bad_record");  // a name that is not UTF-8
  EXPECT_EQ(with("\x01\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv), "exchange_bad_record");
  EXPECT_EQ(with("\x01\x01\x09\x01\x00\x00"sv), "exchange_bad_record");  // null as a key
  EXPECT_EQ(with("\x01\x01\x0a\x00\x01"sv), "exchange_bad_record");      // -1 ns of a timestamp
  EXPECT_EQ(with("\x01\x01\x0b\x02\x01"sv), "exchange_bad_record");      // mixed signs
  EXPECT_EQ(with("\x01\x01\x0c\x0e"sv), "exchange_bad_record");          // no such type
  EXPECT_EQ(with("\x01\x01\x08\x02\x00\x00"sv), "a=8[1:01:0] ");
  EXPECT_EQ(with("\x01\x01\x08\x02\x00\x00"sv, 31), "exchange_bad_record");  // arena full
}

}  // namespace
}  // namespace runnel
