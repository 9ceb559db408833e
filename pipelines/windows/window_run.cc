#include "pipelines/windows/window_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

enum Flags : std::uint32_t { kEnding = 1 };

// Keys without anything to give that one turn of a sweep passes over.
constexpr int kPassedOver = 64;
// Of how many keys the block that was looked for last is remembered: of none where each has few
// blocks. Where there are more keys than that, over files each has few in the memory there is.
std::size_t HintsOf(const WindowPlan& plan) {
  if (plan.stays_open) return 1 << 16;
  std::int64_t blocks = 1;
  if (plan.kind == WindowKind::kGrid) blocks = plan.panes + plan.lateness / plan.grid.every;
  if (plan.kind == WindowKind::kSession) blocks = 1 + plan.lateness / plan.length;
  return blocks > 8 ? 1 << 10 : 0;
}

// What aggregates of numbers do not refuse.
bool IsUsual(const Value& value) {
  return value.type() == Type::kDouble && std::isfinite(value.AsDouble());
}

}  // namespace

std::size_t WindowRun::HeadSize(WindowKind kind) {
  if (kind == WindowKind::kGrid) return offsetof(Block, last);
  return kind == WindowKind::kGlobal ? sizeof(Block) : offsetof(Block, digest);
}

std::size_t WindowRun::KeyBytes() {
  constexpr std::size_t kUsual = 64;  // a longer key takes more
  return KeyTable::BytesFor(kUsual, sizeof(WindowKey));
}

WindowRun::WindowRun(const WindowPlan& plan, StateRegion& region, Ref root_block)
    : plan_(&plan),
      region_(&region),
      root_block_(root_block),
      keys_(region, root_block, offsetof(Root, keys), sizeof(WindowKey)),
      values_(plan.arguments.size() + 1),
      hints_(HintsOf(plan)) {
  values_.back() = Value::Bool(true);
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
    fresh->evicted_watermark = kNever;
    fresh->swept = kNever;
    fresh->next_sweep = kForever;
    region.SetRoot(root, block);
  } else if (!region.Contains(block, sizeof(Root))) {
    return Error{ErrorKind::kGiveUp, "the state of a window is out of the region"};
  }
  const auto make = [&] {
    switch (plan.kind) {
      case WindowKind::kSession:
        return MakeSessionRun(plan, region, block);
      case WindowKind::kSliding:
        return MakeSlidingRun(plan, region, block);
      case WindowKind::kCount:
        return MakeCountRun(plan, region, block);
      case WindowKind::kGlobal:
        return MakeGlobalRun(plan, region, block);
      case WindowKind::kGrid:
        break;
    }
    return MakeGridRun(plan, region, block);
  };
  return std::unique_ptr<OperatorRun>(make());
}

inline const char* WindowRun::EvaluateArguments(const Record& record, Arena& arena) {
  bool all_usual = true;
  const std::vector<int>& fields = plan_->fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (const int field = fields[i]; field >= 0) {
      values_[i] = record.Get(static_cast<std::uint16_t>(field));
      all_usual &= IsUsual(values_[i]);
      continue;
    }
    values_[i] = plan_->arguments[i]->Evaluate(record, arena);
    all_usual &= IsUsual(values_[i]);
    if (!values_[i].IsError()) continue;
    // A field that is missing makes the value missing, as in SQL.
    if (std::strcmp(values_[i].Reason(), "no_such_field") != 0) return values_[i].Reason();
    values_[i] = Value();
  }
  all_usual_ = all_usual;
  return all_usual && plan_->takes_numbers ? nullptr : AskAggregates();
}

const char* WindowRun::AskAggregates() const {
  for (const ColumnFeed& feed : plan_->feeds) {
    if (feed.filter >= 0) {
      const Value& filter = values_[static_cast<std::size_t>(feed.filter)];
      if (filter.type() != Type::kBool) return filter.IsMissing() ? "no_such_field" : "not_a_bool";
    }
    if (feed.arguments == 0 || IsSkipped(feed)) continue;
    if (const char* reason = feed.aggregate->Refuses(&values_[feed.values])) return reason;
  }
  return nullptr;
}

bool WindowRun::IsSkipped(const ColumnFeed& feed) const {
  if (feed.filter >= 0 && !values_[static_cast<std::size_t>(feed.filter)].AsBool()) return true;
  for (std::size_t i = 0; i < feed.arguments; ++i) {
    const Value& value = values_[feed.values + i];
    if (value.IsMissing() || value.IsNull()) return true;
  }
  return false;
}

Verdict WindowRun::Apply(Record& record, Arena& arena) {
  key_.Clear();
  if (const char* reason = plan_->key.Encode(record, arena, key_)) return Verdict::Failed(reason);
  const std::uint64_t hash = Hash(key_.bytes());
  keys_.Prefetch(hash);
  if (const char* reason = EvaluateArguments(record, arena)) return Verdict::Failed(reason);
  const std::int64_t arrival = Microseconds(record.arrival);
  std::int64_t time = plan_->event_time ? Microseconds(record.time) : arrival;
  if (plan_->event_time && time - arrival > plan_->max_ahead) {
    if (plan_->ahead == Ahead::kReject) return Verdict::Failed("too_far_ahead");
    time = arrival;
  }
  Ref key_ref = keys_.Find(key_.bytes(), hash);
  if (key_ref != StateRegion::kNone) [[likely]] {
    // One with an open block is in the open list.
    if (const Ref usual = Usual(*Key(key_ref), time); usual != StateRegion::kNone) [[likely]] {
      AddTo(usual, time);
      KeepTime(key_ref, time, arrival);
      return Verdict::Absorbed();
    }
  }
  if (IsLate(key_ref == StateRegion::kNone ? nullptr : Key(key_ref), time)) return Verdict::Late();
  const char* refusal = nullptr;
  if (key_ref == StateRegion::kNone) key_ref = AddKey(hash, refusal);
  if (refusal != nullptr) return Verdict::Dropped(refusal);
  const Ref block = BlockFor(key_ref, time, refusal);
  if (block == StateRegion::kNone) return Verdict::Dropped(refusal);
  AddTo(block, time);
  KeepTime(key_ref, time, arrival);
  if (keys_.Get(key_ref)->list != 1) PutIntoOpenList(key_ref);
  if (IsDue(key_ref)) ChangeRoot()->due_key = key_ref;
  return Verdict::Absorbed();
}

Ref WindowRun::AddKey(std::uint64_t hash, const char*& refusal) {
  if (keys_.state().keys >= plan_->keys_max) {
    if (const Ref oldest = keys_.First(KeyTable::List::kClosed); oldest != StateRegion::kNone) {
      // Nothing is open in it; only its watermark must not be forgotten.
      Root* changed = ChangeRoot();
      changed->evicted_watermark = std::max(changed->evicted_watermark, Key(oldest)->closed_until);
      keys_.Remove(oldest);
    } else if (plan_->keys_full == KeysFull::kReject || keys_.state().keys > plan_->keys_max) {
      refusal = "keys_full";
      return StateRegion::kNone;
    } else {
      ChangeRoot()->evicted_key = keys_.First(KeyTable::List::kOpen);
    }
  }
  const Ref ref = keys_.Insert(key_.bytes(), hash);
  if (ref == StateRegion::kNone) {
    refusal = "state_full";
    return ref;
  }
  WindowKey* key = Key(ref);
  key->time_max = kNever;
  key->closed_until = kNever;
  key->last_arrival = kNever;
  return ref;
}

inline void WindowRun::AddTo(Ref ref, std::int64_t time) {
  Block* block = BlockAt(ref);
  region_->Touch(block, plan_->block_size);
  std::byte* states = States(ref);
  const Value* values = values_.data();
  const bool all_usual = all_usual_;
  const std::uint64_t refusals = region_->refusals();
  for (const ColumnFeed& feed : plan_->feeds) {
    // A filter is one of the values, and no number.
    if (!all_usual && IsSkipped(feed)) continue;
    feed.aggregate->Add(states + feed.offset, values + feed.values, TimeFromMicroseconds(time),
                        *region_);
  }
  if (HasLast()) {
    block->start = block->records == 0 ? time : std::min(block->start, time);
    block->last = block->records == 0 ? time : std::max(block->last, time);
  }
  block->records = std::min(block->records + 1u, kRecordsMax) & kRecordsMax;
  block->changed = 1;
  if (region_->refusals() != refusals) [[unlikely]]
    block->cut = 1;
}

inline void WindowRun::KeepTime(Ref key_ref, std::int64_t time, std::int64_t arrival) {
  WindowKey* key = Key(key_ref);
  // Less than the whole key: that may reach into another line.
  region_->Touch(&key->time_max, sizeof *key - offsetof(WindowKey, time_max));
  key->last_arrival = std::max(key->last_arrival, arrival);
  key->time_max = std::max(key->time_max, time);
  const KeyEntry* entry = keys_.Get(key_ref);
  if (entry->list == 1 && Elapsed(entry->listed, arrival) >= plan_->order_within) [[unlikely]] {
    PutIntoOpenList(key_ref);
  }
}

void WindowRun::PutIntoOpenList(Ref key_ref) {
  if (keys_.First(KeyTable::List::kOpen) == StateRegion::kNone) {
    Root* changed = ChangeRoot();
    changed->swept = std::max({changed->swept, changed->now, kNever + 1});
    changed->next_sweep = NextSweep(changed->swept);
  }
  stirred_ = true;
  keys_.MoveTo(key_ref, KeyTable::List::kOpen, Key(key_ref)->last_arrival);
}

void WindowRun::AdvanceTo(Time now) {
  stirred_ = true;  // perhaps by the clock alone
  const std::int64_t time = Microseconds(now);
  if (time > root().now) ChangeRoot()->now = time;
}

void WindowRun::End() { ChangeRoot()->flags |= kEnding; }

void WindowRun::GoOn() { ChangeRoot()->flags &= ~std::uint32_t{kEnding}; }

// When a key of the open list, heard of last at `last`, has been silent.
std::int64_t WindowRun::DueAt(std::int64_t last) const {
  if (plan_->silence_counts_always) return last + plan_->silence;
  return clock_->DueAt(last, plan_->silence, plan_->idle_grid);
}

WindowRun::Work WindowRun::NextWork() const {
  const Root& state = root();
  if (state.due_key != StateRegion::kNone) return Work::kDue;
  if (state.evicted_key != StateRegion::kNone) return Work::kEviction;
  const Ref first = state.keys.first[1];
  if (first == StateRegion::kNone) return Work::kNone;
  if ((state.flags & kEnding) != 0) return Work::kEnd;
  if (state.sweep_key != StateRegion::kNone || state.next_sweep <= state.now) return Work::kSweep;
  if (plan_->silence == 0) return Work::kNone;
  const std::int64_t last = Key(first)->last_arrival;
  // Far from due in nearly every record: no division.
  if (last + plan_->silence > state.now) return Work::kNone;
  return DueAt(last) <= state.now ? Work::kSilence : Work::kNone;
}

OperatorRun::Product WindowRun::Produce(Record& out, Arena& arena) {
  only_named_ = false;
  return DoWork(out, arena);
}

OperatorRun::Product WindowRun::Discard(Record& out, Arena& arena) {
  only_named_ = true;
  return DoWork(out, arena);
}

OperatorRun::Product WindowRun::DoWork(Record& out, Arena& arena) {
  failure_ = nullptr;
  for (int passed = 0; passed < kPassedOver; ++passed) {
    const Work work = NextWork();
    if (work == Work::kNone) break;
    Ref key_ref = root().keys.first[1];
    if (work == Work::kDue) key_ref = root().due_key;
    if (work == Work::kEviction) key_ref = root().evicted_key;
    if (work == Work::kSweep && root().sweep_key != StateRegion::kNone) key_ref = root().sweep_key;
    bool more = false;
    out.Clear();
    const bool made = Emit(key_ref, work, out, arena, more);
    Settle(key_ref, work, more);
    if (made) return {true, failure_};
    if (more) break;  // it has done a part of its work
  }
  return {};
}

// What becomes of the key, and of the work that brought us here.
void WindowRun::Settle(Ref key_ref, Work work, bool more) {
  if (work == Work::kDue && !more) ChangeRoot()->due_key = StateRegion::kNone;
  if (work == Work::kSweep) {
    Root* changed = ChangeRoot();
    changed->sweep_key = more ? key_ref : keys_.Get(key_ref)->next;
    if (changed->sweep_key == StateRegion::kNone) {
      changed->swept = changed->now;
      changed->next_sweep = NextSweep(changed->swept);
    }
  }
  if (Key(key_ref)->blocks != StateRegion::kNone) return;
  if (work == Work::kEviction) {
    Root* changed = ChangeRoot();
    changed->evicted_key = StateRegion::kNone;
    changed->evicted_watermark = std::max(changed->evicted_watermark, Key(key_ref)->closed_until);
    keys_.Remove(key_ref);
  } else if (plan_->event_time || plan_->fill > 0) {
    if (keys_.Get(key_ref)->list == 1) {
      keys_.MoveTo(key_ref, KeyTable::List::kClosed, Key(key_ref)->last_arrival);
    }
  } else {
    keys_.Remove(key_ref);  // arrival never goes back: nothing to remember
  }
}

std::optional<Time> WindowRun::NextDeadline() const {
  const Ref first = root().keys.first[1];
  if (first == StateRegion::kNone) return std::nullopt;
  std::int64_t next = root().next_sweep;
  if (plan_->silence > 0) next = std::min(next, DueAt(Key(first)->last_arrival));
  if (next == kForever) return std::nullopt;
  return TimeFromMicroseconds(next);
}

}  // namespace runnel
