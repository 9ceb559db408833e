// KeyTable: the keys of an operator with state, in the StateRegion.
//
// Finds a key by its encoded bytes (open addressing, linear probing, deletion by
// shifting back, Knuth 6.4 R). Each key is in one of two lists in the order of
// arrival: of a window, the open one while it has a window, else the closed one. The user
// moves a key that is heard of to the end once it has stood where it is for some time, not
// with each record: the first key is the one silent longest, to within that time. Order
// never depends on hashes.
#pragma once

#include <cstdint>
#include <string_view>

#include "pipelines/base/state.h"

namespace runnel {

// What the table keeps of a key; the user's own bytes follow, then those of the key.
struct KeyEntry {
  std::uint64_t hash;
  StateRegion::Ref next;  // in its list
  StateRegion::Ref previous;
  std::uint32_t key_size;  // bytes
  std::uint32_t list;      // 1: the open one
  std::int64_t listed;     // arrival by which it stands in its list, microseconds
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
  // A KeyTableState lies `offset` into `state_block`; zeros are an empty table. Each key
  // has `user_size` bytes of the user's, a multiple of 8, zeros at first.
  KeyTable(StateRegion& region, StateRegion::Ref state_block, std::size_t offset,
           std::size_t user_size)
      : region_(&region), block_(state_block), offset_(offset), user_size_(user_size) {}

  const KeyTableState& state() const {
    return *reinterpret_cast<const KeyTableState*>(region_->Get<std::byte>(block_) + offset_);
  }
  KeyEntry* Get(StateRegion::Ref ref) const { return region_->Get<KeyEntry>(ref); }
  // The user's bytes of a key. The caller touches what it changes.
  template <typename T>
  T* User(StateRegion::Ref ref) const {
    return reinterpret_cast<T*>(Get(ref) + 1);
  }
  std::string_view KeyOf(StateRegion::Ref ref) const {
    const KeyEntry* entry = Get(ref);
    return {reinterpret_cast<const char*>(entry + 1) + user_size_, entry->key_size};
  }
  // Bytes of a key with `key_size` bytes, its place in the index included.
  std::size_t BytesFor(std::size_t key_size) const { return BytesFor(key_size, user_size_); }
  static std::size_t BytesFor(std::size_t key_size, std::size_t user_size) {
    return StateRegion::Rounded(sizeof(KeyEntry) + user_size + key_size) + 3 * sizeof(Slot);
  }

  // Begins to load what Find(…, hash) will look at.
  void Prefetch(std::uint64_t hash) const {
    if (state().index == StateRegion::kNone) return;
    __builtin_prefetch(region_->Get<Slot>(state().index) + Place(hash));
  }
  // kNone when the key is not there.
  StateRegion::Ref Find(std::string_view key, std::uint64_t hash) const;
  // Adds a key that is not there, to the closed list; kNone when the region is full.
  StateRegion::Ref Insert(std::string_view key, std::uint64_t hash);
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
  std::size_t user_size_;
};

}  // namespace runnel
