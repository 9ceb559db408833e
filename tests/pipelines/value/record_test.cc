#include "pipelines/value/record.h"

#include <gtest/gtest.h>

#include <string>

namespace runnel {
namespace {

// The visible fields in order, as `temp=1 x=2`.
std::string Shown(const Record& record) {
  std::string out;
  for (const Record::Entry& entry : record.entries()) {
    out += (out.empty() ? "" : " ") + std::string(record.NameOf(entry)) + "=" +
           std::to_string(record.ValueOf(entry).AsInt());
  }
  return out;
}

TEST(FieldTable, NumbersEachNameOnce) {
  FieldTable table;
  EXPECT_EQ(table.Intern("temp"), 0);
  EXPECT_EQ(table.Intern("device"), 1);
  EXPECT_EQ(table.Intern("temp"), 0);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Find("device"), 1);
  EXPECT_EQ(table.Find("other"), -1);
  EXPECT_EQ(table.name(1), "device");
}

class RecordTest : public testing::Test {
 protected:
  FieldTable table_;
  const std::uint16_t a_ = table_.Intern("a");
  const std::uint16_t b_ = table_.Intern("b");
  Record record_{table_};
};

TEST_F(RecordTest, KeepsTheOrderInWhichFieldsCame) {
  record_.Set(b_, Value::Int(1));
  record_.Append("x", Value::Int(2));
  record_.Set(a_, Value::Int(3));
  record_.Set(b_, Value::Int(4));
  EXPECT_EQ(Shown(record_), "b=4 x=2 a=3");
}

TEST_F(RecordTest, AFieldThatIsNotThereIsMissing) {
  EXPECT_TRUE(record_.Get(a_).IsMissing());
  record_.Set(a_, Value::Int(1));
  record_.Remove(a_);
  EXPECT_TRUE(record_.Get(a_).IsMissing());
  record_.Remove(a_);
  EXPECT_EQ(Shown(record_), "");
}

TEST_F(RecordTest, AHiddenFieldStaysAndIsNotShownUntilItIs) {
  record_.SetHidden(a_, Value::Int(1));
  record_.Set(b_, Value::Int(2));
  EXPECT_EQ(Shown(record_), "b=2");
  record_.Clear();
  EXPECT_EQ(record_.Get(a_).AsInt(), 1);
  EXPECT_TRUE(record_.Get(b_).IsMissing());
  record_.Show(a_, Value::Int(3));
  record_.Show(a_, Value::Int(4));
  EXPECT_EQ(Shown(record_), "a=4");
}

}  // namespace
}  // namespace runnel
