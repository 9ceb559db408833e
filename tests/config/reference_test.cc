// The manual that is committed is the one that the program prints; what it says is complete.
#include "config/reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/json_schema.h"
#include "pipelines/base/arena.h"
#include "pipelines/codecs/json.h"

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
