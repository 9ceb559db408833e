// GroupTable: the groups (key and start of the window) of a piece of the input.
//
// Open addressing over blocks of a StateRegion: a head, the states of the aggregates, the
// encoded key. What a piece leaves is a run in the order of the results. Deterministic:
// the same rows in the same order give the same run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/hash.h"
#include "pipelines/base/same_bytes.h"
#include "pipelines/base/state.h"
#include "pipelines/batch/run.h"
#include "pipelines/codecs/name_index.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

class GroupTable final {
 public:
  // Both outlive the table. The region is the table's own; it must have room for kFullBytes
  // and for what a few rows more can need.
  GroupTable(const WindowPlan& plan, StateRegion& region);

  // Of a group; the same everywhere, since partitions follow it. `key` is encoded.
  static std::uint64_t HashOf(std::string_view key, std::int64_t start) {
    // Of a text itself, so that it need not be copied first.
    constexpr std::size_t kHead = KeyPlan::kTextHead;
    if (key.size() >= kHead && key[0] == KeyPlan::kTextTag) key.remove_prefix(kHead);
    return HashOfText(key, start);
  }
  // The same of a key of one text, which is not encoded.
  static std::uint64_t HashOfText(std::string_view text, std::int64_t start) {
    const NameDigest digest(text);
    std::uint64_t mixed = (digest.hash ^ static_cast<std::uint64_t>(start)) * 0x9e3779b97f4a7c15U;
    if (text.size() > 16) mixed ^= Hash(text);
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9U;
    return mixed ^ mixed >> 32;
  }
  void Prefetch(std::uint64_t hash) const {
    __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  // The same of the group that is most likely meant, once the first is there.
  void PrefetchGroup(std::uint64_t hash) const {
    const auto* group = region_->Get<std::byte>(slots_[hash & (slots_.size() - 1)].ref);
    __builtin_prefetch(group);
    __builtin_prefetch(group + 64);
    __builtin_prefetch(group + 128);
  }
  // The states of the group, new where need be; `hash` is HashOf(…). nullptr where the region
  // has no room.
  std::byte* Find(std::string_view key, std::int64_t start, std::uint64_t hash);
  // The same of a key of one text, which is not encoded; `hash` is HashOfText(…).
  std::byte* FindText(std::string_view text, std::int64_t start, std::uint64_t hash) {
    const std::size_t mask = slots_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t place = hash & mask; slots_[place].ref != StateRegion::kNone;
         place = (place + 1) & mask) {
      if (slots_[place].tag != tag) continue;
      auto* group = region_->Get<Group>(slots_[place].ref);
      if (group->start == start && group->key_size == KeyPlan::kTextHead + text.size() &&
          KeyOf(group)[0] == KeyPlan::kTextTag &&
          SameBytes(KeyOf(group).substr(KeyPlan::kTextHead), text)) {
        return StatesOf(group);
      }
    }
    return AddText(text, start, hash);
  }
  // Whether the groups are to be flushed before there are more.
  bool IsFull() const { return count_ >= kFullGroups || region_->used() >= kFullBytes; }
  bool IsEmpty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

  // Writes all groups as one run (of hopping windows the windows, not the panes) and
  // forgets them. False where the region had no room to merge panes.
  bool Flush(RunWriter& run);

  // Aggregates of one group, as they stand in a run.
  static void SaveStates(const WindowPlan& plan, const std::byte* states, const StateRegion& region,
                         ByteWriter& writer);

  static constexpr std::size_t kFullGroups = 64 * 1024;
  static constexpr std::size_t kFullBytes = 12 << 20;

 private:
  struct Group {
    std::int64_t start;
    std::uint64_t hash;
    std::uint64_t key_size;
  };
  struct Slot {
    StateRegion::Ref ref;
    std::uint32_t tag;  // upper half of the hash
  };
  // A window that a group is in, or all of it.
  struct Part {
    std::int64_t start;    // of the window
    std::uint64_t prefix;  // of the key in the order of results
    std::uint32_t key;     // where it stands in keys_, and how long it is
    std::uint32_t key_size;
    StateRegion::Ref group;
  };

  std::byte* StatesOf(Group* group) const { return reinterpret_cast<std::byte*>(group + 1); }
  std::string_view KeyOf(Group* group) const {
    return {reinterpret_cast<const char*>(StatesOf(group)) + states_size_, group->key_size};
  }
  std::byte* AddText(std::string_view text, std::int64_t start, std::uint64_t hash);
  void Grow();
  void CollectParts();
  bool IsBefore(const Part& a, const Part& b) const;
  bool IsSameGroup(const Part& a, const Part& b) const;
  bool WriteParts(std::size_t from, std::size_t to, RunWriter& run);

  const WindowPlan* plan_;
  StateRegion* region_;
  std::size_t states_size_;
  std::vector<Slot> slots_;  // at most half full
  std::size_t count_ = 0;
  std::vector<StateRegion::Ref> groups_;  // in the order of their first rows
  std::vector<Part> parts_;               // scratch, as below
  std::string keys_;
  std::string sort_key_;
  KeyBuffer key_;
  ByteWriter states_;
};

}  // namespace runnel
