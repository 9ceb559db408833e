#include "daemon/mqtt/reasons.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

TEST(Reasons, NamesWhatTheBrokerSaid) {
  EXPECT_EQ(ReasonWords(0x00), "success (0x00)");
  EXPECT_EQ(ReasonWords(0x87), "not authorized (0x87)");
  EXPECT_EQ(ReasonWords(0xa2), "wildcard subscriptions not supported (0xa2)");
  EXPECT_EQ(ReasonWords(0x03), "unknown reason (0x03)");
  EXPECT_EQ(ReasonWords(0xff), "unknown reason (0xff)");
  EXPECT_EQ(ConnackWords(MqttVersion::k311, 4), "bad user name or password (0x04)");
  EXPECT_EQ(ConnackWords(MqttVersion::k311, 6), "unknown reason (0x06)");
  EXPECT_EQ(ConnackWords(MqttVersion::k5, 0x86), "bad user name or password (0x86)");
  EXPECT_EQ(SubackWords(MqttVersion::k311, 0x80), "refused without a reason (0x80)");
  EXPECT_EQ(SubackWords(MqttVersion::k5, 0x87), "not authorized (0x87)");
}

TEST(Reasons, KnowsWhatAHumanMustFix) {
  EXPECT_TRUE(ConnackNeedsFix(MqttVersion::k5, 0x86));
  EXPECT_TRUE(ConnackNeedsFix(MqttVersion::k311, 5));
  EXPECT_FALSE(ConnackNeedsFix(MqttVersion::k311, 3));
  EXPECT_FALSE(ConnackNeedsFix(MqttVersion::k5, 0x88));
}

}  // namespace
}  // namespace runnel
