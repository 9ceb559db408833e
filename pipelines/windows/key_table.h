// KeyTable: the keys of a window operator, in the StateRegion.
//
// Finds a key by its encoded bytes (open addressing, linear probing, deletion by
// shifting back, Knuth 6.4 R). Each key is in one of two lists in the order of
// arrival: the open one while it has a window, else the closed one. The order is kept
// lazily: a key moves to the end when it comes to the front and has been heard of
// since (a clock, as in page replacement). Order never depends on hashes.
#pragma once

#include <cstdint>
#include <string_view>

#include "pipelines/base/state.h"

namespace runnel {

struct KeyEntry {
  std::uint64_t hash;
  StateRegion::Ref next;  // in its list
  StateRegion::Ref previous;
  StateRegion::Ref windows;  // open ones, earliest first
  std::uint32_t windows_open;
  std::uint32_t key_size;     // bytes, behind the entry
  std::uint32_t open;         // 1: in the open list
  std::int64_t time_max;      // highest event time; microseconds, as all below
  std::int64_t closed_until;  // end of the last window that has closed
  std::int64_t last_arrival;
  std::int64_t listed;  // arrival by which it stands in its list

  std::string_view Key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
};

struct KeyTableState {
  StateRegion::Ref index;  // slots
  std::uint32_t capacity;  // of slots, a power of two
  std::uint32_t keys;
  std::uint32_t open_keys;
  StateRegion::Ref first[2];  // of the closed and the open list
  StateRegion::Ref last[2];
};

class KeyTable final {
 public:
  // `state` is the place of a KeyTableState inside `region`; zeros are an empty table.
  KeyTable(StateRegion& region, StateRegion::Ref state_block, std::size_t offset)
      : region_(&region), block_(state_block), offset_(offset) {}

  const KeyTableState& state() const {
    return *reinterpret_cast<const KeyTableState*>(region_->Get<std::byte>(block_) + offset_);
  }
  KeyEntry* Get(StateRegion::Ref ref) const { return region_->Get<KeyEntry>(ref); }

  // Begins to load what Find(…, hash) will look at.
  void Prefetch(std::uint64_t hash) const {
    if (state().index == StateRegion::kNone) return;
    __builtin_prefetch(region_->Get<Slot>(state().index) + Place(hash));
  }
  // kNone when the key is not there.
  StateRegion::Ref Find(std::string_view key, std::uint64_t hash) const;
  // Adds a key that is not there, to the closed list; kNone when the region is full.
  StateRegion::Ref Insert(std::string_view key, std::uint64_t hash);
  // REQUIRES: the key has no windows.
  void Remove(StateRegion::Ref ref);
  enum class List : std::uint32_t { kClosed = 0, kOpen = 1 };
  // Puts the key at the end of a list, by `arrival`.
  void MoveTo(StateRegion::Ref ref, List list, std::int64_t arrival);
  StateRegion::Ref First(List list) const { return state().first[static_cast<int>(list)]; }

 private:
  struct Slot {
    StateRegion::Ref ref;
    std::uint32_t tag;  // upper half of the hash
  };
  KeyTableState* Change();
  bool Grow();
  void Unlink(KeyEntry& entry);
  std::uint32_t Place(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash) & (state().capacity - 1);
  }

  StateRegion* region_;
  StateRegion::Ref block_;
  std::size_t offset_;
};

}  // namespace runnel
