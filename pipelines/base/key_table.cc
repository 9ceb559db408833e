#include "pipelines/base/key_table.h"

#include <cstring>

#include "pipelines/base/same_bytes.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;
constexpr std::uint32_t kFirstCapacity = 64;

std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace

KeyTableState* KeyTable::Change() {
  auto* state = reinterpret_cast<KeyTableState*>(region_->Get<std::byte>(block_) + offset_);
  region_->Touch(state, sizeof *state);
  return state;
}

Ref KeyTable::Find(std::string_view key, std::uint64_t hash) const {
  const KeyTableState& table = state();
  if (table.index == StateRegion::kNone) return StateRegion::kNone;
  const Slot* const slots = region_->Get<Slot>(table.index);
  const std::uint32_t mask = table.capacity - 1;
  const std::uint32_t tag = TagOf(hash);
  for (auto i = static_cast<std::uint32_t>(hash) & mask;; i = (i + 1) & mask) {
    const Slot slot = slots[i];
    if (slot.ref == StateRegion::kNone) return StateRegion::kNone;
    if (slot.tag == tag && SameBytes(KeyOf(slot.ref), key)) return slot.ref;
  }
}

bool KeyTable::Grow() {
  const KeyTableState& table = state();
  if (table.index != StateRegion::kNone && (table.keys + 1) * 4 <= table.capacity * 3) return true;
  const std::uint32_t capacity =
      table.index == StateRegion::kNone ? kFirstCapacity : 2 * table.capacity;
  const Ref fresh = region_->Allocate(capacity * sizeof(Slot));
  if (fresh == StateRegion::kNone) return false;
  Slot* slots = region_->Get<Slot>(fresh);
  if (table.index != StateRegion::kNone) {
    const Slot* old = region_->Get<Slot>(table.index);
    for (std::uint32_t i = 0; i < table.capacity; ++i) {
      if (old[i].ref == StateRegion::kNone) continue;
      auto at = static_cast<std::uint32_t>(Get(old[i].ref)->hash) & (capacity - 1);
      while (slots[at].ref != StateRegion::kNone) at = (at + 1) & (capacity - 1);
      slots[at] = old[i];
    }
    region_->Free(table.index, table.capacity * sizeof(Slot));
  }
  KeyTableState* changed = Change();
  changed->index = fresh;
  changed->capacity = capacity;
  return true;
}

Ref KeyTable::Insert(std::string_view key, std::uint64_t hash) {
  if (!Grow()) return StateRegion::kNone;
  const Ref ref = region_->Allocate(sizeof(KeyEntry) + user_size_ + key.size());
  if (ref == StateRegion::kNone) return StateRegion::kNone;
  KeyEntry* entry = Get(ref);
  entry->hash = hash;
  entry->key_size = static_cast<std::uint32_t>(key.size());
  entry->list = UINT32_MAX;  // in none
  std::memcpy(reinterpret_cast<std::byte*>(entry + 1) + user_size_, key.data(), key.size());
  Slot* slots = region_->Get<Slot>(state().index);
  std::uint32_t at = Place(hash);
  while (slots[at].ref != StateRegion::kNone) at = (at + 1) & (state().capacity - 1);
  region_->Touch(&slots[at], sizeof(Slot));
  slots[at] = {ref, TagOf(hash)};
  ++Change()->keys;
  MoveTo(ref, List::kClosed, INT64_MIN);
  return ref;
}

void KeyTable::Remove(Ref ref) {
  KeyEntry* entry = region_->Change<KeyEntry>(ref);
  Unlink(*entry);
  const std::uint32_t mask = state().capacity - 1;
  Slot* slots = region_->Get<Slot>(state().index);
  std::uint32_t hole = Place(entry->hash);
  while (slots[hole].ref != ref) hole = (hole + 1) & mask;
  region_->Touch(&slots[hole], sizeof(Slot));
  for (std::uint32_t i = (hole + 1) & mask; slots[i].ref != StateRegion::kNone;
       i = (i + 1) & mask) {
    const std::uint32_t home = Place(Get(slots[i].ref)->hash);
    if (((i - home) & mask) < ((i - hole) & mask)) continue;  // reachable without the hole
    slots[hole] = slots[i];
    region_->Touch(&slots[i], sizeof(Slot));
    hole = i;
  }
  slots[hole] = Slot{};
  --Change()->keys;
  region_->Free(ref, sizeof(KeyEntry) + user_size_ + entry->key_size);
}

void KeyTable::Unlink(KeyEntry& entry) {
  if (entry.list > 1) return;
  KeyTableState* table = Change();
  if (entry.list == 1) --table->open_keys;
  Ref* to_next = entry.previous != StateRegion::kNone
                     ? &region_->Change<KeyEntry>(entry.previous)->next
                     : &table->first[entry.list];
  Ref* to_previous = entry.next != StateRegion::kNone
                         ? &region_->Change<KeyEntry>(entry.next)->previous
                         : &table->last[entry.list];
  *to_next = entry.next;
  *to_previous = entry.previous;
}

void KeyTable::MoveTo(Ref ref, List list, std::int64_t arrival) {
  KeyEntry* entry = region_->Change<KeyEntry>(ref);
  Unlink(*entry);
  KeyTableState* table = Change();
  const auto which = static_cast<std::uint32_t>(list);
  entry->list = which;
  entry->listed = arrival;
  entry->next = StateRegion::kNone;
  entry->previous = table->last[which];
  if (entry->previous != StateRegion::kNone) {
    region_->Change<KeyEntry>(entry->previous)->next = ref;
  } else {
    table->first[which] = ref;
  }
  table->last[which] = ref;
  if (which == 1) ++table->open_keys;
}

}  // namespace runnel
