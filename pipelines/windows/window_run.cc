#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>
#include <cstring>

#include "pipelines/base/hash.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

enum Flags : std::uint32_t { kEnding = 1, kSilenceCounts = 2 };

constexpr std::int64_t kNever = INT64_MIN;

// What no aggregate refuses.
bool IsUsual(const Value& value) {
  return value.type() == Type::kDouble && std::isfinite(value.AsDouble());
}

}  // namespace

WindowRun::WindowRun(const WindowPlan& plan, StateRegion& region, Ref root_block)
    : plan_(&plan),
      region_(&region),
      root_block_(root_block),
      keys_(region, root_block, offsetof(Root, keys)),
      values_(plan.arguments.size()) {
  for (const AggregateColumn& column : plan.columns) {
    feeds_.push_back({column.aggregate.get(), static_cast<std::uint32_t>(column.offset),
                      static_cast<std::int32_t>(column.argument)});
  }
}

Result<std::unique_ptr<OperatorRun>> WindowRun::Start(const WindowPlan& plan, StateRegion& region,
                                                      int root) {
  Ref block = region.root(root);
  if (block == StateRegion::kNone) {
    block = region.Allocate(sizeof(Root));
    if (block == StateRegion::kNone) {
      return Error{ErrorKind::kFix, "limits.state has no room for a window"};
    }
    auto* fresh = region.Get<Root>(block);
    fresh->now = kNever;
    fresh->idle_base = kNever;
    fresh->evicted_watermark = kNever;
    region.SetRoot(root, block);
  } else if (!region.Contains(block, sizeof(Root))) {
    return Error{ErrorKind::kGiveUp, "the state of a window is out of the region"};
  }
  return std::unique_ptr<OperatorRun>(new WindowRun(plan, region, block));
}

const WindowRun::Root& WindowRun::root() const { return *region_->Get<Root>(root_block_); }
WindowRun::Root* WindowRun::ChangeRoot() { return region_->Change<Root>(root_block_); }

const char* WindowRun::EvaluateArguments(const Record& record, Arena& arena) {
  bool all_usual = true;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Expression& argument = *plan_->arguments[i];
    if (const int field = argument.AsField(); field >= 0) {
      values_[i] = record.Get(static_cast<std::uint16_t>(field));
      all_usual &= IsUsual(values_[i]);
      continue;
    }
    values_[i] = argument.Evaluate(record, arena);
    all_usual &= IsUsual(values_[i]);
    if (!values_[i].IsError()) continue;
    // A field that is missing makes the value missing, as in SQL.
    if (std::strcmp(values_[i].Reason(), "no_such_field") != 0) return values_[i].Reason();
    values_[i] = Value();
  }
  if (all_usual) return nullptr;
  for (const AggregateColumn& column : plan_->columns) {
    if (column.argument < 0) continue;
    const Value& value = values_[static_cast<std::size_t>(column.argument)];
    if (value.IsMissing() || value.IsNull()) continue;
    if (const char* reason = column.aggregate->Refuses(value)) return reason;
  }
  return nullptr;
}

Verdict WindowRun::Apply(Record& record, Arena& arena) {
  key_.clear();
  if (const char* reason = EncodeKey(*plan_, record, arena, key_)) return Verdict::Failed(reason);
  const std::uint64_t hash = Hash(key_);
  keys_.Prefetch(hash);
  if (const char* reason = EvaluateArguments(record, arena)) return Verdict::Failed(reason);
  const std::int64_t arrival = Microseconds(record.arrival);
  std::int64_t time = plan_->event_time ? Microseconds(record.time) : arrival;
  if (plan_->event_time && time - arrival > plan_->max_ahead) {
    if (plan_->ahead == Ahead::kReject) return Verdict::Failed("too_far_ahead");
    time = arrival;
  }
  Ref key_ref = keys_.Find(key_, hash);
  const KeyEntry* key = key_ref == StateRegion::kNone ? nullptr : keys_.Get(key_ref);
  const std::int64_t start = StartOf(key, time);
  if (IsLate(key, start)) return Verdict::Late();
  const char* refusal = nullptr;
  if (key == nullptr) key_ref = AddKey(hash, refusal);
  if (refusal != nullptr) return Verdict::Dropped(refusal);
  return Absorb(key_ref, start, time, arrival);
}

// The window is that of the key's first open one in nearly every record: no division.
std::int64_t WindowRun::StartOf(const KeyEntry* key, std::int64_t time) const {
  if (key != nullptr && key->windows != StateRegion::kNone) {
    const std::int64_t first = region_->Get<Window>(key->windows)->start;
    if (time >= first && time < plan_->tumbling.EndOf(first)) return first;
  }
  return plan_->tumbling.StartOf(time);
}

bool WindowRun::IsLate(const KeyEntry* key, std::int64_t start) const {
  const std::int64_t end = plan_->tumbling.EndOf(start);
  if (key == nullptr) return end <= root().evicted_watermark;
  if (end <= key->closed_until) return true;
  return plan_->event_time && key->time_max != kNever && end <= key->time_max - plan_->lateness;
}

Ref WindowRun::AddKey(std::uint64_t hash, const char*& refusal) {
  if (keys_.state().keys >= plan_->keys_max) {
    if (const Ref oldest = keys_.First(KeyTable::List::kClosed); oldest != StateRegion::kNone) {
      // Nothing is open in it; only its watermark must not be forgotten.
      const KeyEntry& entry = *keys_.Get(oldest);
      Root* changed = ChangeRoot();
      changed->evicted_watermark = std::max(changed->evicted_watermark, entry.closed_until);
      keys_.Remove(oldest);
    } else if (plan_->keys_full == KeysFull::kReject || keys_.state().keys > plan_->keys_max) {
      refusal = "keys_full";
      return StateRegion::kNone;
    } else {
      Ref oldest_open = keys_.First(KeyTable::List::kOpen);
      while (keys_.Get(oldest_open)->listed < keys_.Get(oldest_open)->last_arrival) {
        keys_.MoveTo(oldest_open, KeyTable::List::kOpen, keys_.Get(oldest_open)->last_arrival);
        oldest_open = keys_.First(KeyTable::List::kOpen);
      }
      ChangeRoot()->evicted_key = oldest_open;
    }
  }
  const Ref ref = keys_.Insert(key_, hash);
  if (ref == StateRegion::kNone) refusal = "state_full";
  return ref;
}

Ref WindowRun::FindOrAddWindow(Ref key_ref, std::int64_t start, std::int64_t time,
                               const char*& refusal) {
  Ref previous = StateRegion::kNone;
  Ref at = keys_.Get(key_ref)->windows;
  while (at != StateRegion::kNone && region_->Get<Window>(at)->start < start) {
    previous = at;
    at = region_->Get<Window>(at)->next;
  }
  if (at != StateRegion::kNone && region_->Get<Window>(at)->start == start) return at;
  if (keys_.Get(key_ref)->windows_open >= plan_->windows_max && !ClosesFirst(key_ref, time)) {
    refusal = "windows_full";
    return StateRegion::kNone;
  }
  const Ref fresh = region_->Allocate(plan_->block_size);
  if (fresh == StateRegion::kNone) {
    refusal = "state_full";
    return StateRegion::kNone;
  }
  auto* window = region_->Get<Window>(fresh);
  window->start = start;
  window->next = at;
  auto* states = reinterpret_cast<std::byte*>(window + 1);
  for (const AggregateColumn& column : plan_->columns)
    column.aggregate->Init(states + column.offset);
  KeyEntry* key = region_->Change<KeyEntry>(key_ref);
  ++key->windows_open;
  if (previous == StateRegion::kNone) {
    key->windows = fresh;
  } else {
    region_->Change<Window>(previous)->next = fresh;
  }
  return fresh;
}

// Whether a record of this time closes the earliest window of the key: then it is one
// too many only until the next step.
bool WindowRun::ClosesFirst(Ref key_ref, std::int64_t time) const {
  const KeyEntry& key = *keys_.Get(key_ref);
  const std::int64_t first_end = plan_->tumbling.EndOf(region_->Get<Window>(key.windows)->start);
  return plan_->event_time && first_end <= std::max(key.time_max, time) - plan_->lateness;
}

Verdict WindowRun::Absorb(Ref key_ref, std::int64_t start, std::int64_t time,
                          std::int64_t arrival) {
  const char* refusal = nullptr;
  const Ref window_ref = FindOrAddWindow(key_ref, start, time, refusal);
  if (window_ref == StateRegion::kNone) return Verdict::Dropped(refusal);
  auto* window = region_->Get<Window>(window_ref);
  region_->Touch(window, plan_->block_size);
  auto* states = reinterpret_cast<std::byte*>(window + 1);
  for (const Feed& feed : feeds_) {
    static constexpr Value kNothing = Value::Bool(true);
    const Value& value =
        feed.argument < 0 ? kNothing : values_[static_cast<std::size_t>(feed.argument)];
    if (value.IsMissing() || value.IsNull()) continue;
    feed.aggregate->Add(states + feed.offset, value, TimeFromMicroseconds(time), *region_);
  }
  KeyEntry* key = keys_.Get(key_ref);
  // Only what changes, on one line mostly; MoveTo announces its own.
  region_->Touch(&key->time_max, offsetof(KeyEntry, listed) - offsetof(KeyEntry, time_max));
  key->last_arrival = std::max(key->last_arrival, arrival);
  key->time_max = std::max(key->time_max, time);
  if (key->open != 1) keys_.MoveTo(key_ref, KeyTable::List::kOpen, key->last_arrival);
  if (plan_->event_time) {
    const std::int64_t first_end = plan_->tumbling.EndOf(region_->Get<Window>(key->windows)->start);
    if (first_end <= key->time_max - plan_->lateness) ChangeRoot()->watermark_key = key_ref;
  }
  return Verdict::Absorbed();
}

void WindowRun::AdvanceTo(Time now, bool counts) {
  const std::int64_t time = Microseconds(now);
  const std::uint32_t flags =
      (root().flags & ~std::uint32_t{kSilenceCounts}) | (counts ? kSilenceCounts : 0u);
  if (time <= root().now && flags == root().flags) return;
  Root* changed = ChangeRoot();
  changed->now = std::max(changed->now, time);
  changed->flags = flags;
}

void WindowRun::Resume(Time now) {
  Root* changed = ChangeRoot();
  changed->idle_base = std::max(changed->idle_base, Microseconds(now));
}

void WindowRun::End() { ChangeRoot()->flags |= kEnding; }

// When the first key of the open list, heard of last at `listed` or later, is due.
std::int64_t WindowRun::DueAt(std::int64_t listed) const {
  if (!plan_->event_time) return plan_->tumbling.EndOf(plan_->tumbling.StartOf(listed));
  const std::int64_t silent = std::max(listed, root().idle_base) + plan_->idle;
  return (silent + plan_->idle_grid - 1) / plan_->idle_grid * plan_->idle_grid;
}

WindowRun::Work WindowRun::NextWork() const {
  const Root& state = root();
  if (state.watermark_key != StateRegion::kNone) return Work::kWatermark;
  if (state.evicted_key != StateRegion::kNone) return Work::kEviction;
  const Ref first = state.keys.first[1];
  if (first == StateRegion::kNone) return Work::kNone;
  if ((state.flags & kEnding) != 0) return Work::kEnd;
  if (plan_->event_time && (state.flags & kSilenceCounts) == 0) return Work::kNone;
  const std::int64_t listed = keys_.Get(first)->listed;
  // Far from due in nearly every record: no division.
  if (listed + (plan_->event_time ? plan_->idle : 0) > state.now) return Work::kNone;
  return DueAt(listed) <= state.now ? Work::kTime : Work::kNone;
}

bool WindowRun::HasPending() const { return NextWork() != Work::kNone; }

bool WindowRun::Produce(Record& out, Arena& arena) { return DoWork(out, arena, Filling::kResult); }
bool WindowRun::Discard(Record& out, Arena& arena) { return DoWork(out, arena, Filling::kKeyOnly); }

bool WindowRun::DoWork(Record& out, Arena& arena, Filling filling) {
  const Work work = NextWork();
  Ref key_ref = root().keys.first[1];
  if (work == Work::kWatermark) key_ref = root().watermark_key;
  if (work == Work::kEviction) key_ref = root().evicted_key;
  if (work == Work::kTime) {
    const KeyEntry& key = *keys_.Get(key_ref);
    if (key.listed < key.last_arrival) {
      keys_.MoveTo(key_ref, KeyTable::List::kOpen, key.last_arrival);
      return false;
    }
  }
  const bool partial = work == Work::kEviction || work == Work::kEnd;
  Close(key_ref, out, arena, filling, partial);
  Settle(key_ref, work);
  return true;
}

// Closes the earliest window of the key.
void WindowRun::Close(Ref key_ref, Record& out, Arena& arena, Filling filling, bool partial) {
  KeyEntry* key = region_->Change<KeyEntry>(key_ref);
  const Ref window_ref = key->windows;
  auto* window = region_->Get<Window>(window_ref);
  Fill(*key, *window, out, arena, filling, partial);
  key->closed_until = std::max(key->closed_until, plan_->tumbling.EndOf(window->start));
  key->windows = window->next;
  --key->windows_open;
  region_->Touch(window, plan_->block_size);
  auto* states = reinterpret_cast<std::byte*>(window + 1);
  for (const AggregateColumn& column : plan_->columns) {
    column.aggregate->Free(states + column.offset, *region_);
  }
  region_->Free(window_ref, plan_->block_size);
}

// What becomes of the key, and of the work that brought us here.
void WindowRun::Settle(Ref key_ref, Work work) {
  const KeyEntry& key = *keys_.Get(key_ref);
  const bool empty = key.windows == StateRegion::kNone;
  if (work == Work::kWatermark) {
    const bool more = !empty && plan_->tumbling.EndOf(region_->Get<Window>(key.windows)->start) <=
                                    key.time_max - plan_->lateness;
    if (!more) ChangeRoot()->watermark_key = StateRegion::kNone;
  }
  if (!empty) return;
  if (work == Work::kEviction) {
    Root* changed = ChangeRoot();
    changed->evicted_key = StateRegion::kNone;
    changed->evicted_watermark = std::max(changed->evicted_watermark, key.closed_until);
    keys_.Remove(key_ref);
  } else if (plan_->event_time) {
    keys_.MoveTo(key_ref, KeyTable::List::kClosed, key.last_arrival);
  } else {
    keys_.Remove(key_ref);  // arrival never goes back: nothing to remember
  }
}

std::optional<Time> WindowRun::NextDeadline() const {
  const Ref first = root().keys.first[1];
  if (first == StateRegion::kNone) return std::nullopt;
  if (plan_->event_time && (root().flags & kSilenceCounts) == 0) return std::nullopt;
  return TimeFromMicroseconds(DueAt(keys_.Get(first)->listed));
}

}  // namespace runnel
