// Runs: entries (a sort key and what belongs to it) in ascending order, in blocks.
//
// A run is what a chunk or a partition leaves behind; runs are merged in the order of
// their numbers. Layout: docs/formats/batch.md. A reader trusts nothing: any bytes give
// entries or an end that is !ok().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace runnel {

struct RunEntry {
  std::string_view key;
  std::string_view value;
};

// A block: u32 bytes behind this head, u32 size of the last key, the last key, then entries:
// varint size and bytes of the key, varint size and bytes of the value.
constexpr std::size_t kRunBlockHead = 8;
// Where a block is full; an entry that is larger has a block of its own.
constexpr std::size_t kRunBlockBytes = 8 * 1024;

class RunWriter final {
 public:
  // Called with each whole block.
  using Take = std::function<void(std::string_view block)>;
  explicit RunWriter(Take take) : take_(std::move(take)) {}

  // Keys ascend, or are equal.
  void Add(std::string_view key, std::string_view value);
  // Gives the last block. The next entry begins a new run.
  void Finish();

 private:
  Take take_;
  std::string entries_;
  std::string last_key_;
  std::string block_;  // scratch
};

// The block at the front of `bytes`.
struct RunBlock {
  std::size_t size = 0;  // of all of it, its head too; 0: there is no whole and right one
  std::string_view first_key;
  std::string_view last_key;
  std::string_view entries;
};
RunBlock ReadRunBlock(std::string_view bytes);
// The same where only the front of a run of so many bytes is there: its entries may be cut off;
// size is 0, too, where the keys are.
RunBlock ReadRunBlock(std::string_view front, std::uint64_t run_bytes);

// The entries of blocks that lie one behind the other.
class RunReader final {
 public:
  explicit RunReader(std::string_view blocks) : rest_(blocks) {}

  // False at the end, and where something is wrong: then !ok().
  bool Next(RunEntry& entry);
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;   // blocks
  std::string_view block_;  // entries
  bool ok_ = true;
};

}  // namespace runnel
