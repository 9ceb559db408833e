#include "pipelines/base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runnel {
namespace {

std::vector<std::byte> Bytes(std::size_t size, int first, int step) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < size; ++i) {
    bytes.push_back(static_cast<std::byte>(first + static_cast<int>(i) * step));
  }
  return bytes;
}

TEST(Crc32c, GivesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c({}), 0u);
  EXPECT_EQ(Crc32c(Bytes(32, 0, 0)), 0x8a9136aau);
  EXPECT_EQ(Crc32c(Bytes(32, 0xff, 0)), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(Bytes(32, 0, 1)), 0x46dd794eu);
  EXPECT_EQ(Crc32c(Bytes(32, 31, -1)), 0x113fdb5cu);
}

TEST(Crc32c, IsTheSameByInstructionAndByTable) {
  const std::vector<std::byte> bytes = Bytes(300, 3, 7);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::span<const std::byte> part(bytes.data(), size);
    EXPECT_EQ(Crc32c(part, 5), internal::Crc32cByTable(part, 5)) << size;
  }
}

TEST(Crc32c, GoesOnFromAPart) {
  const std::vector<std::byte> bytes = Bytes(100, 1, 3);
  const std::span<const std::byte> all(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(Crc32c(all.subspan(cut), Crc32c(all.first(cut))), Crc32c(all));
  }
}

}  // namespace
}  // namespace runnel
