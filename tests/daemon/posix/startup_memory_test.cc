#include "daemon/posix/startup_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "daemon/posix/mapping.h"

namespace runnel {
namespace {

// 256 KiB of constants, in the pages that are given back.
constexpr auto kTable = [] {
  std::array<std::uint32_t, 1 << 16> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) table[i] = i * 2'654'435'761U + 1;
  return table;
}();

bool TableIsWhole() {
  const volatile std::uint32_t* table = kTable.data();
  for (std::uint32_t i = 0; i < kTable.size(); ++i) {
    if (table[i] != i * 2'654'435'761U + 1) return false;
  }
  return true;
}

// Resident bytes of files.
std::size_t SharedBytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  file >> size >> resident >> shared;
  return shared * PageSize();
}

class Shape {
 public:
  virtual ~Shape() = default;
  virtual int corners() const = 0;
};
class Square final : public Shape {
 public:
  int corners() const override { return 4; }
};

TEST(GiveBackStartupMemory, LeavesTheProgramAsItWas) {
  static int written = 1;  // in a page that nobody may give back
  written = 7;
  const std::unique_ptr<Shape> shape = std::make_unique<Square>();
  std::vector<std::string> texts;
  for (int i = 0; i < 10'000; ++i) texts.push_back("a text of the heap, " + std::to_string(i));
  texts.resize(100);
  for (int round = 0; round < 3; ++round) {
    GiveBackStartupMemory();
    EXPECT_TRUE(TableIsWhole());
    EXPECT_EQ(shape->corners(), 4);
    EXPECT_EQ(texts[99], "a text of the heap, 99");
    EXPECT_THROW(static_cast<void>(texts.at(100)), std::out_of_range);  // unwinding reads tables
  }
  EXPECT_EQ(written, 7);
}

TEST(GiveBackStartupMemory, GivesBackConstantsAndCode) {
  ASSERT_TRUE(TableIsWhole());
  const std::size_t before = SharedBytes();
  GiveBackStartupMemory();
#ifdef RUNNEL_SANITIZED
  EXPECT_GT(SharedBytes() + (128 << 10), before);  // a sanitizer keeps its memory
#else
  EXPECT_LT(SharedBytes() + (128 << 10), before);
#endif
}

}  // namespace
}  // namespace runnel
