// What the operators without state make of a record, in tables.
#include "tests/pipelines/plan/engine.h"

namespace runnel {
namespace {

struct Case {
  const char* steps;
  const char* payload;
  const char* output;  // `1 TOPIC PAYLOAD`, `2 TOPIC PAYLOAD REASON` for a dead letter, or none
};

std::string OutputOf(const Case& each) {
  Engine engine(std::string("source: { mqtt: { topic: \"s/{device}/v\" } }\nsteps:\n") +
                each.steps + "sink: { mqtt: { topic: out } }\n");
  engine.RunAll({{InputKind::kMessage, 1'700'000'000'000'000, "s/a/v", each.payload}});
  return engine.outputs().empty() ? "" : engine.outputs()[0];
}

template <std::size_t kCount>
void ExpectAll(const Case (&cases)[kCount]) {
  for (const Case& each : cases) EXPECT_EQ(OutputOf(each), each.output) << each.steps;
}

TEST(Operators, Filter) {
  ExpectAll({
      {"  - filter: v > 1\n", R"({"v":2})", R"(1 out {"v":2} )"},
      {"  - filter: v > 1\n", R"({"v":1})", ""},
      {"  - filter: device == 'a'\n", R"({"z":1,"b":[1,{"c":null}]})",
       R"(1 out {"z":1,"b":[1,{"c":null}]} )"},
      {"  - filter: v > 1\n", R"({"w":1})", R"(2 s/a/v {"w":1} no_such_field)"},
      {"  - filter: has(v) && v > 1\n", R"({"w":1})", ""},
      {"  - filter: v > 1\n", R"({"v":"2"})", R"(2 s/a/v {"v":"2"} no_such_overload)"},
      {"  - filter: v\n", R"({"v":1})", R"(2 s/a/v {"v":1} filter_not_a_bool)"},
      {"  - filter: v\n", R"({"v":true})", R"(1 out {"v":true} )"},
      {"  - filter: v > 1 || true\n", R"({"w":1})", R"(1 out {"w":1} )"},
  });
}

TEST(Operators, Set) {
  ExpectAll({
      {"  - set: { b: a + 1, c: b * 2 }\n", R"({"a":1,"x":0})",
       R"(1 out {"a":1,"x":0,"b":2,"c":4} )"},
      {"  - set: { a: a * 10 }\n", R"({"a":1,"x":0})", R"(1 out {"a":10,"x":0} )"},
      {"  - set: { where: device }\n", R"({"a":1})", R"(1 out {"a":1,"where":"a"} )"},
      {"  - set: { device: device + '!' }\n", R"({"a":1})", R"(1 out {"a":1,"device":"a!"} )"},
      {"  - set: { b: a / 0 }\n", R"({"a":1})", R"(2 s/a/v {"a":1} divide_by_zero)"},
      {"  - set: { b: \"[a, a]\", c: \"{'k': b}\" }\n", R"({"a":1})",
       R"(1 out {"a":1,"b":[1,1],"c":{"k":[1,1]}} )"},
      {"  - set: { b: a }\n  - filter: b > 1\n", R"({"a":1})", ""},
  });
}

TEST(Operators, Select) {
  ExpectAll({
      {"  - select: [b, a]\n", R"({"a":1,"b":2,"c":3})", R"(1 out {"b":2,"a":1} )"},
      {"  - select: [device, a]\n", R"({"a":1})", R"(1 out {"device":"a","a":1} )"},
      {"  - set: { t: a * 2 }\n  - select: [t]\n", R"({"a":1})", R"(1 out {"t":2} )"},
      {"  - select: [a, b]\n", R"({"a":1})", R"(2 s/a/v {"a":1} no_such_field)"},
  });
}

TEST(Operators, APayloadThatCannotBeReadIsADeadLetterWithItsBytes) {
  ExpectAll({
      {"  - filter: v > 1\n", R"({"v":)", R"(2 s/a/v {"v": json_unexpected_end)"},
      {"  - filter: v > 1\n", "[1]", "2 s/a/v [1] json_not_an_object"},
      {"  - filter: v > 1\n", "", "2 s/a/v  json_unexpected_end"},
      {"  - filter: v > 1\n", R"({"v":1,"v":2})", R"(2 s/a/v {"v":1,"v":2} json_duplicate_field)"},
  });
}

}  // namespace
}  // namespace runnel
