#include "pipelines/value/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace runnel {
namespace {

const double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");
constexpr std::int64_t kBeyondDouble = (std::int64_t{1} << 53) + 1;  // no double has it

struct OrderCase {
  const char* name;
  Value a;
  Value b;
  Order order;
};

TEST(Value, NumbersCompareByTheirMathematicalValue) {
  const OrderCase cases[] = {
      {"ints", Value::Int(-1), Value::Int(2), Order::kLess},
      {"int and uint", Value::Int(-1), Value::Uint(UINT64_MAX), Order::kLess},
      {"equal int and uint", Value::Int(7), Value::Uint(7), Order::kEqual},
      {"uint above all ints", Value::Uint(UINT64_MAX), Value::Int(INT64_MAX), Order::kGreater},
      {"int and double", Value::Int(1), Value::Double(1.5), Order::kLess},
      {"equal int and double", Value::Int(1), Value::Double(1.0), Order::kEqual},
      {"negative fractions", Value::Int(-1), Value::Double(-1.5), Order::kGreater},
      {"2^53 + 1 is not rounded", Value::Int(kBeyondDouble), Value::Double(9007199254740992.0),
       Order::kGreater},
      {"nor as uint", Value::Uint(std::uint64_t{kBeyondDouble}), Value::Double(9007199254740992.0),
       Order::kGreater},
      {"2^63 is the largest int", Value::Int(INT64_MAX), Value::Double(9223372036854775808.0),
       Order::kEqual},
      {"2^63 is above the others", Value::Int(INT64_MAX - 1), Value::Double(9223372036854775808.0),
       Order::kLess},
      {"the next double is above", Value::Int(INT64_MAX), Value::Double(9223372036854777856.0),
       Order::kLess},
      {"-2^63 is the smallest int", Value::Int(INT64_MIN), Value::Double(-9223372036854775808.0),
       Order::kEqual},
      {"the next below", Value::Int(INT64_MIN), Value::Double(-9223372036854777856.0),
       Order::kGreater},
      {"uint and negative", Value::Uint(0), Value::Double(-0.5), Order::kGreater},
      {"negative zero", Value::Double(-0.0), Value::Int(0), Order::kEqual},
      {"infinity", Value::Double(kInfinity), Value::Uint(UINT64_MAX), Order::kGreater},
      {"minus infinity", Value::Double(-kInfinity), Value::Int(INT64_MIN), Order::kLess},
      {"NaN and int", Value::Double(kNan), Value::Int(0), Order::kNone},
      {"NaN and itself", Value::Double(kNan), Value::Double(kNan), Order::kNone},
  };
  for (const OrderCase& each : cases) {
    EXPECT_EQ(Compare(each.a, each.b), each.order) << each.name;
    const bool ordered = each.order != Order::kNone;
    const Order reverse =
        ordered ? static_cast<Order>(-static_cast<int>(each.order)) : Order::kNone;
    EXPECT_EQ(Compare(each.b, each.a), reverse) << each.name;
    EXPECT_EQ(Equal(each.a, each.b), each.order == Order::kEqual) << each.name;
  }
}

TEST(Value, OtherTypesCompareOnlyWithTheirOwn) {
  const OrderCase cases[] = {
      {"text", Value::String("a"), Value::String("b"), Order::kLess},
      {"text by bytes", Value::String("z"), Value::String("ä"), Order::kLess},
      {"a prefix", Value::String("a"), Value::String("aa"), Order::kLess},
      {"bool", Value::Bool(false), Value::Bool(true), Order::kLess},
      {"bytes above 127", Value::Bytes("\x7f"), Value::Bytes("\xff"), Order::kLess},
      {"times", Value::Timestamp(1, 5), Value::Timestamp(1, 6), Order::kLess},
      {"durations", Value::Duration(-1, -5), Value::Duration(-1, 0), Order::kLess},
      {"text and bytes", Value::String("a"), Value::Bytes("a"), Order::kNone},
      {"text and number", Value::String("1"), Value::Int(1), Order::kNone},
      {"bool and number", Value::Bool(true), Value::Int(1), Order::kNone},
      {"null", Value::Null(), Value::Null(), Order::kNone},
      {"lists", Value::List({}), Value::List({}), Order::kNone},
      {"time and duration", Value::Timestamp(1, 0), Value::Duration(1, 0), Order::kNone},
  };
  for (const OrderCase& each : cases) {
    EXPECT_EQ(Compare(each.a, each.b), each.order) << each.name;
  }
}

TEST(Value, EqualityIsDeepAndOfOneType) {
  const std::vector<Value> ints = {Value::Int(1), Value::Int(2)};
  const std::vector<Value> doubles = {Value::Double(1), Value::Double(2)};
  const std::vector<Value> nans = {Value::Double(kNan)};
  const std::vector<MapEntry> ab = {{Value::String("a"), Value::Int(1)},
                                    {Value::String("b"), Value::Int(2)}};
  const std::vector<MapEntry> ba = {{Value::String("b"), Value::Uint(2)},
                                    {Value::String("a"), Value::Double(1)}};
  const std::vector<MapEntry> ac = {{Value::String("a"), Value::Int(1)},
                                    {Value::String("c"), Value::Int(2)}};
  EXPECT_TRUE(Equal(Value::List(ints), Value::List(doubles)));
  EXPECT_FALSE(Equal(Value::List(ints), Value::List({ints.data(), 1})));
  EXPECT_FALSE(Equal(Value::List(nans), Value::List(nans)));
  EXPECT_TRUE(Equal(Value::Map(ab), Value::Map(ba)));
  EXPECT_FALSE(Equal(Value::Map(ab), Value::Map(ac)));
  EXPECT_FALSE(Equal(Value::Map(ab), Value::Map({ab.data(), 1})));
  EXPECT_TRUE(Equal(Value::Null(), Value::Null()));
  EXPECT_FALSE(Equal(Value::Null(), Value::Bool(false)));
  EXPECT_FALSE(Equal(Value::Int(1), Value::Bool(true)));
  EXPECT_FALSE(Equal(Value::String("a"), Value::Bytes("a")));
  EXPECT_TRUE(Equal(Value::OfType(Type::kInt), Value::OfType(Type::kInt)));
  EXPECT_FALSE(Equal(Value::OfType(Type::kInt), Value::OfType(Type::kUint)));
  EXPECT_FALSE(Equal(Value(), Value()));
}

TEST(Value, LookupFindsKeysAcrossNumbers) {
  const std::vector<MapEntry> entries = {{Value::Int(1), Value::String("one")},
                                         {Value::Bool(true), Value::String("yes")},
                                         {Value::String("a"), Value::Null()}};
  const Value map = Value::Map(entries);
  EXPECT_EQ(Lookup(map, Value::Double(1.0)).AsString(), "one");
  EXPECT_EQ(Lookup(map, Value::Uint(1)).AsString(), "one");
  EXPECT_TRUE(Lookup(map, Value::Double(1.5)).IsMissing());
  EXPECT_EQ(Lookup(map, Value::Bool(true)).AsString(), "yes");
  EXPECT_TRUE(Lookup(map, Value::String("a")).IsNull());
  EXPECT_TRUE(Lookup(map, Value::String("b")).IsMissing());
  EXPECT_TRUE(Lookup(Value::Map({}), Value::Int(1)).IsMissing());
}

TEST(Value, TypesAreNamedAsCelNamesThem) {
  EXPECT_EQ(TypeName(Type::kInt), "int");
  EXPECT_EQ(TypeName(Type::kNull), "null_type");
  EXPECT_EQ(TypeName(Type::kTimestamp), "google.protobuf.Timestamp");
  EXPECT_EQ(TypeName(Type::kDuration), "google.protobuf.Duration");
}

}  // namespace
}  // namespace runnel
