#include "daemon/mqtt/copies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runnel {
namespace {

// Of three filters of one change, of another one, and of none.
constexpr std::uint32_t kNew = ChangeMark{3, 0}.identifier();
constexpr std::uint32_t kOld = ChangeMark{3, 1}.identifier();
constexpr std::uint32_t kOlder = ChangeMark{3, 2}.identifier();
constexpr std::uint32_t kEarlier = ChangeMark{2, 0}.identifier();

struct Come {
  std::string payload;
  std::vector<std::uint32_t> identifiers;
  bool copy;
  std::string topic = "t";
  bool retained = false;
};

void Check(const std::vector<Come>& all) {
  Copies copies;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Come& one = all[i];
    EXPECT_EQ(copies.IsCopy(one.topic, one.payload, one.retained, one.identifiers), one.copy) << i;
  }
}

TEST(Copies, TheSameForAnotherFilterOfTheChangeIsOne) {
  Check({{"x", {kOld}, false}, {"x", {kNew}, true}, {"x", {kOld}, false}, {"x", {kNew}, true}});
  Check({{"x", {kNew}, false}, {"x", {kOlder}, true}, {"x", {kOld}, true}, {"x", {kOld}, false}});
}

TEST(Copies, TheSameForTheSameFilterIsNone) {
  Check({{"x", {kOld}, false}, {"x", {kOld}, false}, {"x", {kNew}, true}, {"x", {kNew}, false}});
  Check({{"x", {kOld, kNew}, false}, {"x", {kNew}, false}, {"x", {kOld}, true}});
}

// The last message before a change and the first one behind it.
TEST(Copies, TheSameForAFilterOfNoChangeOrAnotherIsNone) {
  Check({{"x", {}, false}, {"x", {kNew}, false}, {"x", {}, false}});
  Check({{"x", {kEarlier}, false}, {"x", {kOld}, false}, {"x", {kNew}, true}});
}

TEST(Copies, AnotherMessageBetweenOrInItsPlaceIsNone) {
  Check({{"x", {kOld}, false}, {"y", {kNew}, false}, {"x", {kNew}, false}});
  Check({{"x", {kOld}, false}, {"x", {kNew}, false, "u"}, {"x", {kOld}, true, "u"}});
  // The bytes of both together are the same.
  Check({{"bc", {kOld}, false, "a"}, {"c", {kNew}, false, "ab"}});
}

TEST(Copies, RetainedMessagesAreNoneAndHaveNone) {
  Check({{"x", {kOld}, false}, {"x", {kNew}, false, "t", true}, {"x", {kNew}, false}});
}

TEST(Copies, NoneComesBehindAnAnswerOfTheBroker) {
  Copies copies;
  const std::uint32_t identifiers[] = {kOld, kNew};
  EXPECT_FALSE(copies.IsCopy("t", "x", false, std::span(identifiers, 1)));
  copies.Forget();
  EXPECT_FALSE(copies.IsCopy("t", "x", false, std::span(identifiers + 1, 1)));
  EXPECT_TRUE(copies.IsCopy("t", "x", false, std::span(identifiers, 1)));
}

}  // namespace
}  // namespace runnel
