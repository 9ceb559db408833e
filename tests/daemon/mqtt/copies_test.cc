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

// Equal messages behind one another: one with the old filter as it was, one with both as the broker
// has it, one with the new one. What is uncertain counts twice.
TEST(Copies, NoMessageThatCameOnceIsTakenForOne) {
  Check({{"x", {}, false}, {"x", {kNew}, false}, {"x", {kOld}, true}, {"x", {kNew}, false}});
  Check({{"x", {}, false}, {"x", {kOld}, false}, {"x", {kNew}, true}, {"x", {kNew}, false}});
  Check({{"x", {}, false}, {"x", {kNew}, false}, {"x", {kNew}, false}, {"x", {kOld}, true}});
  Check({{"x", {kNew}, false}, {"x", {}, false}, {"x", {kNew}, false}});
  Check({{"x", {kOld}, false}, {"x", {kOlder}, false}, {"x", {kNew}, true}});
}

TEST(Copies, TheSameForTheSameFilterIsNone) {
  Check({{"x", {kOld}, false}, {"x", {kOld}, false}, {"x", {kNew}, true}, {"x", {kNew}, false}});
  Check({{"x", {kOld, kNew}, false}, {"x", {kNew}, false}, {"x", {kOld}, true}});
}

TEST(Copies, TheSameForAFilterOfAnotherChangeIsNone) {
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

}  // namespace
}  // namespace runnel
