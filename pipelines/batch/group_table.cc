#include "pipelines/batch/group_table.h"

#include <algorithm>
#include <cstring>

#include "pipelines/batch/sort_key.h"

namespace runnel {
namespace {

constexpr std::size_t kFirstSlots = 4096;

std::uint64_t PrefixOf(std::string_view key) {
  char bytes[8] = {};
  std::memcpy(bytes, key.data(), std::min<std::size_t>(key.size(), sizeof bytes));
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return __builtin_bswap64(word);
}

}  // namespace

GroupTable::GroupTable(const WindowPlan& plan, StateRegion& region)
    : plan_(&plan),
      region_(&region),
      states_size_(plan.block_size - plan.head_size),
      slots_(kFirstSlots) {}

std::byte* GroupTable::Find(std::string_view key, std::int64_t start, std::uint64_t hash) {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  std::size_t place = hash & (slots_.size() - 1);
  for (; slots_[place].ref != StateRegion::kNone; place = (place + 1) & (slots_.size() - 1)) {
    if (slots_[place].tag != tag) continue;
    auto* group = region_->Get<Group>(slots_[place].ref);
    if (group->start == start && SameBytes(KeyOf(group), key)) return StatesOf(group);
  }
  const StateRegion::Ref ref = region_->Allocate(sizeof(Group) + states_size_ + key.size());
  if (ref == StateRegion::kNone) return nullptr;
  auto* group = region_->Get<Group>(ref);
  *group = {start, hash, key.size()};
  for (const AggregateColumn& column : plan_->columns) {
    column.aggregate->Init(StatesOf(group) + column.offset);
  }
  std::memcpy(StatesOf(group) + states_size_, key.data(), key.size());
  slots_[place] = {ref, tag};
  groups_.push_back(ref);
  if (2 * ++count_ > slots_.size()) Grow();
  return StatesOf(group);
}

std::byte* GroupTable::AddText(std::string_view text, std::int64_t start, std::uint64_t hash) {
  key_.Clear();
  KeyPlan::AppendText(text, key_);
  return Find(key_.bytes(), start, hash);
}

void GroupTable::Grow() {
  std::vector<Slot> slots(slots_.size() * 2);
  for (const StateRegion::Ref ref : groups_) {
    const std::uint64_t hash = region_->Get<Group>(ref)->hash;
    std::size_t place = hash & (slots.size() - 1);
    while (slots[place].ref != StateRegion::kNone) place = (place + 1) & (slots.size() - 1);
    slots[place] = {ref, static_cast<std::uint32_t>(hash >> 32)};
  }
  slots_ = std::move(slots);
}

void GroupTable::CollectParts() {
  parts_.clear();
  keys_.clear();
  for (const StateRegion::Ref ref : groups_) {
    auto* group = region_->Get<Group>(ref);
    const std::size_t at = keys_.size();
    for (std::string_view rest = KeyOf(group); !rest.empty();) {
      AppendSortPart(KeyPlan::TakePart(rest), keys_);
    }
    const std::string_view key = std::string_view(keys_).substr(at);
    for (std::int64_t pane = 0; pane < plan_->panes; ++pane) {
      const std::int64_t start = pane == 0 ? group->start : plan_->grid.Shift(group->start, -pane);
      parts_.push_back({start, PrefixOf(key), static_cast<std::uint32_t>(at),
                        static_cast<std::uint32_t>(key.size()), ref});
    }
  }
  std::sort(parts_.begin(), parts_.end(),
            [this](const Part& a, const Part& b) { return IsBefore(a, b); });
}

bool GroupTable::IsBefore(const Part& a, const Part& b) const {
  if (a.start != b.start) return a.start < b.start;
  if (a.prefix != b.prefix) return a.prefix < b.prefix;
  const std::string_view keys(keys_);
  const int order = keys.substr(a.key, a.key_size).compare(keys.substr(b.key, b.key_size));
  if (order != 0) return order < 0;
  // Panes of one window in the order of time.
  return region_->Get<Group>(a.group)->start < region_->Get<Group>(b.group)->start;
}

bool GroupTable::IsSameGroup(const Part& a, const Part& b) const {
  const std::string_view keys(keys_);
  return a.start == b.start && a.prefix == b.prefix &&
         keys.substr(a.key, a.key_size) == keys.substr(b.key, b.key_size);
}

void GroupTable::SaveStates(const WindowPlan& plan, const std::byte* states,
                            const StateRegion& region, ByteWriter& writer) {
  for (const AggregateColumn& column : plan.columns) {
    column.aggregate->Save(states + column.offset, region, writer);
  }
}

// The parts [from, to) are one window of one key.
bool GroupTable::WriteParts(std::size_t from, std::size_t to, RunWriter& run) {
  sort_key_.clear();
  AppendSortNumber(parts_[from].start, sort_key_);
  sort_key_.append(keys_, parts_[from].key, parts_[from].key_size);
  states_.Clear();
  if (to - from == 1) {
    SaveStates(*plan_, StatesOf(region_->Get<Group>(parts_[from].group)), *region_, states_);
    run.Add(sort_key_, states_.bytes());
    return true;
  }
  const StateRegion::Ref merged = region_->Allocate(states_size_);
  if (merged == StateRegion::kNone) return false;
  auto* states = region_->Get<std::byte>(merged);
  for (const AggregateColumn& column : plan_->columns) {
    column.aggregate->Init(states + column.offset);
    for (std::size_t i = from; i < to; ++i) {
      column.aggregate->Merge(states + column.offset, *region_,
                              StatesOf(region_->Get<Group>(parts_[i].group)) + column.offset,
                              *region_);
    }
  }
  SaveStates(*plan_, states, *region_, states_);
  for (const AggregateColumn& column : plan_->columns) {
    column.aggregate->Free(states + column.offset, *region_);
  }
  region_->Free(merged, states_size_);
  run.Add(sort_key_, states_.bytes());
  return true;
}

bool GroupTable::Flush(RunWriter& run) {
  CollectParts();
  bool ok = true;
  for (std::size_t from = 0; from < parts_.size();) {
    std::size_t to = from + 1;
    while (to < parts_.size() && IsSameGroup(parts_[from], parts_[to])) ++to;
    ok = WriteParts(from, to, run) && ok;
    from = to;
  }
  run.Finish();
  groups_.clear();
  count_ = 0;
  std::fill(slots_.begin(), slots_.end(), Slot{});
  region_->Clear();
  return ok;
}

}  // namespace runnel
