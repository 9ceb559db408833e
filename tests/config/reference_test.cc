// The manual that is committed is the one that the program prints; what it says is complete.
#include "config/reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "config/json_schema.h"
#include "pipelines/base/arena.h"
#include "pipelines/codecs/json.h"
#include "pipelines/expr/expression.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/macros.h"

namespace runnel {
namespace {

Registry All() {
  Registry registry;
  RegisterAll(registry);
  return registry;
}

TEST(Reference, IsTheCommittedOne) {
  std::ifstream in(RUNNEL_REFERENCE, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(text.str() == ReferenceText(All()))
      << "runnel reference > docs/reference/README.md makes it the same";
}

TEST(Reference, DescribesEveryName) {
  const Registry registry = All();
  for (const std::string& name : AllNames(registry)) {
    EXPECT_NE(DescribeText(registry, name), "") << name;
    EXPECT_NE(ListText(registry, "").find("  " + name), std::string::npos) << name;
  }
  EXPECT_EQ(DescribeText(registry, "nothing"), "");
  EXPECT_EQ(ListText(registry, "things"), "");
}

// Each function has an example, and it is true.
TEST(Reference, ExamplesOfFunctionsAreTrue) {
  std::set<std::string_view> with_example;
  for (const FunctionExample& example : FunctionExamples()) {
    with_example.insert(example.function);
    FieldTable fields;
    Scope scope;
    scope.fields = &fields;
    Diagnostics diagnostics;
    const auto expression =
        Expression::Compile(example.expression, {"example", 1, 1}, scope, diagnostics);
    ASSERT_NE(expression, nullptr) << diagnostics.Format();
    Record record(fields);
    record.topic = "sensors/a-17/climate";
    Arena arena(1 << 16);
    std::string json =
        R"({"temp": 21.5, "device": "a-17", "values": [3, 1, 2], "counts": {"a": 1, "b": 2}})";
    const std::size_t size = json.size();
    json.append(Decoder::kPadding, '\0');
    ASSERT_TRUE(MakeJsonDecoder(fields, Unmentioned::kKeep)
                    ->Decode(std::string_view(json).substr(0, size), arena, record)
                    .ok());
    std::string result;
    AppendJson(expression->Evaluate(record, arena), result);
    EXPECT_EQ(result, example.result) << example.expression;
  }
  std::vector<std::string_view> names = {"has"};
  for (const expr::Function* function : expr::Functions()) names.push_back(function->name);
  for (const expr::Macro& macro : expr::kMacros) names.push_back(macro.name);
  for (const std::string_view name : names) EXPECT_TRUE(with_example.contains(name)) << name;
}

TEST(Reference, SchemasAreJson) {
  for (const std::string& schema : {PipelineSchema(All()), DeviceSchema()}) {
    const FieldTable none;
    Record record(none);
    Arena arena(8 << 20);
    const std::string padded = schema + std::string(Decoder::kPadding, '\0');
    const Outcome outcome =
        MakeJsonDecoder(none, Unmentioned::kKeep)
            ->Decode(std::string_view(padded).substr(0, schema.size()), arena, record);
    EXPECT_TRUE(outcome.ok()) << outcome.reason();
  }
}

}  // namespace
}  // namespace runnel
