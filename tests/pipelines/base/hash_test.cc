#include "pipelines/base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace runnel {
namespace {

// The values are part of the format of journals, so these never change. They are
// the test vectors of wyhash, final version 4.
TEST(Hash, GivesTheVectorsOfWyhash) {
  EXPECT_EQ(Hash("", 0), 0x93228a4de0eec5a2u);
  EXPECT_EQ(Hash("a", 1), 0xc5bac3db178713c4u);
  EXPECT_EQ(Hash("abc", 2), 0xa97f2f7b1d9b3314u);
  EXPECT_EQ(Hash("message digest", 3), 0x786d1f1df3801df4u);
  EXPECT_EQ(Hash("abcdefghijklmnopqrstuvwxyz", 4), 0xdca5a8138ad37c87u);
  EXPECT_EQ(Hash("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 5),
            0xb9e734f117cfaf70u);
  EXPECT_EQ(
      Hash("12345678901234567890123456789012345678901234567890123456789012345678901234567890", 6),
      0x6cc5eab49a92d617u);
}

TEST(Hash, DiffersForEachLengthAndReadsNothingBehindIt) {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string exact(size, 'x');  // ASan sees a read behind it
    seen.insert(Hash(exact));
  }
  EXPECT_EQ(seen.size(), 200u);
}

TEST(Hash, SpreadsSimilarKeysEvenly) {
  int counts[4] = {};
  for (int i = 0; i < 10'000; ++i) ++counts[Hash("device-" + std::to_string(i)) % 4];
  for (const int count : counts) EXPECT_NEAR(count, 2'500, 200);
}

}  // namespace
}  // namespace runnel
