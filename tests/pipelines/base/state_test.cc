#include "pipelines/base/state.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace runnel {
namespace {

constexpr std::size_t kCapacity = 256 * 1024;

// A region with an undo log in plain memory, as a worker has it in a mapping.
class StateTest : public testing::Test {
 protected:
  StateTest() : memory_(kCapacity + 64), log_(UndoLog::BytesFor(512) + 64) {
    base_ = Align(memory_.data());
    undo_ = reinterpret_cast<UndoLog*>(Align(log_.data()));
    undo_->capacity = 512;
  }
  static std::byte* Align(std::byte* at) {
    return at + (64 - reinterpret_cast<std::uintptr_t>(at) % 64) % 64;
  }
  StateRegion Attach() {
    StateRegion::Options options;
    options.base = base_;
    options.capacity = kCapacity;
    options.undo = undo_;
    Result<StateRegion> region = StateRegion::Attach(std::move(options));
    EXPECT_TRUE(region.ok());
    return std::move(region).value();
  }
  std::vector<std::byte> Used(const StateRegion& region) {
    return {region.data(), region.data() + region.used()};
  }

  std::vector<std::byte> memory_;
  std::vector<std::byte> log_;
  std::byte* base_;
  UndoLog* undo_;
};

TEST_F(StateTest, AllocatesZeroedMemoryAndReusesWhatIsFreed) {
  StateRegion region = Attach();
  const StateRegion::Ref first = region.Allocate(100);
  ASSERT_NE(first, StateRegion::kNone);
  std::memset(region.Change<char>(first), 'x', 1);
  region.Free(first, 100);
  const StateRegion::Ref second = region.Allocate(112);  // the same class
  EXPECT_EQ(second, first);
  for (int i = 0; i < 112; ++i) EXPECT_EQ(region.Get<char>(second)[i], 0);
}

TEST_F(StateTest, SizeClassesWasteAtMostAQuarter) {
  for (std::size_t size = 1; size < 100'000; size = size * 5 / 4 + 1) {
    const std::size_t rounded = StateRegion::Rounded(size);
    EXPECT_GE(rounded, size);
    EXPECT_LE(rounded, std::max(size + 15, size + size / 4)) << size;
    EXPECT_EQ(rounded, StateRegion::Rounded(rounded)) << size;
    EXPECT_EQ(rounded % 16, 0u) << size;
  }
}

TEST_F(StateTest, GivesNoneWhenFull) {
  StateRegion region = StateRegion::InMemory(8 * 1024);
  int blocks = 0;
  while (region.Allocate(512) != StateRegion::kNone) ++blocks;
  EXPECT_GT(blocks, 10);
  EXPECT_LE(blocks, 16);
  EXPECT_EQ(region.Allocate(SIZE_MAX / 2), StateRegion::kNone);
}

TEST_F(StateTest, RefusesADamagedHeader) {
  Attach();
  base_[0] = std::byte{1};
  StateRegion::Options options;
  options.base = base_;
  options.capacity = kCapacity;
  const Result<StateRegion> region = StateRegion::Attach(std::move(options));
  ASSERT_FALSE(region.ok());
  EXPECT_EQ(region.error().message, "the state region is damaged or of another version");
}

TEST_F(StateTest, RollBackRefusesDamageAndOverflow) {
  StateRegion region = Attach();
  region.Forget(1);
  region.Touch(base_, 1);
  undo_->entries[0].guard = 0;
  EXPECT_EQ(StateRegion::RollBack(base_, kCapacity, *undo_, 1).error().message,
            "the undo log is damaged");
  undo_->count = 513;
  EXPECT_EQ(StateRegion::RollBack(base_, kCapacity, *undo_, 1).error().message,
            "the undo log overflowed in the turn that was cut short");
  undo_->checkpoint = 7;
  EXPECT_EQ(StateRegion::RollBack(base_, kCapacity, *undo_, 1).error().message,
            "the checkpoint that the undo log leads back to is missing");
}

TEST_F(StateTest, AnObsoleteLogChangesNothing) {
  StateRegion region = Attach();
  const StateRegion::Ref ref = region.Allocate(64);
  region.Forget(1);
  *region.Change<int>(ref) = 5;
  // Killed after checkpoint 2 was written and before the log was forgotten.
  ASSERT_TRUE(StateRegion::RollBack(base_, kCapacity, *undo_, 2).ok());
  EXPECT_EQ(*region.Get<int>(ref), 5);
}

// Random work, cut short at a random place: the region is again what it was.
TEST_F(StateTest, RollsBackToTheCheckpointFromAnywhere) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  StateRegion region = Attach();
  std::vector<std::pair<StateRegion::Ref, std::size_t>> blocks;
  std::uint64_t checkpoint = 0;
  const auto work = [&](std::vector<std::pair<StateRegion::Ref, std::size_t>>& live) {
    for (int step = 0; step < 60 && region.undo_room() > 80; ++step) {
      const unsigned what = random() % 4;
      if (what == 0 || live.empty()) {
        const std::size_t size = 1 + random() % 700;
        const StateRegion::Ref ref = region.Allocate(size);
        ASSERT_NE(ref, StateRegion::kNone);
        live.emplace_back(ref, size);
        region.SetRoot(static_cast<int>(random() % 31), ref);
      } else if (what == 1) {
        const std::size_t which = random() % live.size();
        region.Free(live[which].first, live[which].second);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
      } else {
        const auto [ref, size] = live[random() % live.size()];
        region.Touch(region.Get<char>(ref), size);
        std::memset(region.Get<char>(ref), static_cast<int>(random() % 256), size);
      }
    }
  };
  for (int round = 0; round < 300; ++round) {
    region.Forget(++checkpoint);
    const std::vector<std::byte> before = Used(region);
    std::vector<std::pair<StateRegion::Ref, std::size_t>> after = blocks;
    work(after);
    if (random() % 2 == 0) {  // done: the next checkpoint keeps it
      blocks = after;
      if (blocks.size() > 150) break;
      continue;
    }
    ASSERT_TRUE(StateRegion::RollBack(base_, kCapacity, *undo_, checkpoint).ok());
    region = Attach();
    ASSERT_EQ(region.used(), before.size());
    // The contents of free blocks may differ, except for what they are linked by.
    for (const auto& [ref, size] : blocks) {
      ASSERT_EQ(std::memcmp(region.Get<char>(ref),
                            before.data() + std::size_t{ref} * StateRegion::kUnit, size),
                0);
    }
    for (int root = 0; root < StateRegion::kRoots; ++root) {
      ASSERT_EQ(region.root(root) != StateRegion::kNone && !region.Contains(region.root(root), 1),
                false);
    }
  }
}

}  // namespace
}  // namespace runnel
