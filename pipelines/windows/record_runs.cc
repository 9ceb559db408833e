// Windows that records drive: sliding (each record brings the result of the time before
// it), count (every so many records) and global (one window, with a trigger).
#include <algorithm>

#include "pipelines/value/digest.h"
#include "pipelines/windows/window_run.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

// Blocks that one turn frees at most: what a turn changes is bounded.
constexpr int kFreedAtOnce = 32;

class RecordRun : public WindowRun {
 public:
  using WindowRun::WindowRun;

 protected:
  bool IsLate(const WindowKey*, std::int64_t) const override { return false; }
  std::int64_t NextSweep(std::int64_t swept) const override {
    return plan().every > 0 ? (swept / plan().every + 1) * plan().every : kForever;
  }

  Interval Of(Ref ref) const {
    return {TimeFromMicroseconds(BlockAt(ref)->start),
            TimeFromMicroseconds(BlockAt(ref)->last + 1)};
  }
  bool HasChanged(Ref key_ref) const {
    for (Ref at = Key(key_ref)->blocks; at != StateRegion::kNone; at = BlockAt(at)->next) {
      if (BlockAt(at)->changed != 0) return true;
    }
    return false;
  }
  // One result of all blocks of the key, which are then as they were given.
  void FillAll(Ref key_ref, bool partial, std::int64_t length, Record& out, Arena& arena) {
    const Ref first = Key(key_ref)->blocks;
    const Ref merged = NewBlock(0);
    const Ref result = merged == StateRegion::kNone ? first : merged;
    for (Ref at = first; at != StateRegion::kNone; at = BlockAt(at)->next) {
      if (merged != StateRegion::kNone) MergeBlock(merged, at);
      if (BlockAt(at)->changed != 0) ChangeBlock(at)->changed = 0;
    }
    Interval window = Of(result);
    if (length > 0) window.start = window.end - Duration(length);
    Fill(key_ref, result, window, partial, out, arena);
    if (merged == StateRegion::kNone) return Fail("state_full");
    FreeBlock(merged);
  }
  // Frees some of the key's blocks, earliest first; true when there are more.
  bool FreeSome(Ref key_ref) {
    for (int i = 0; i < kFreedAtOnce && Key(key_ref)->blocks != StateRegion::kNone; ++i) {
      RemoveBlock(key_ref, StateRegion::kNone, Key(key_ref)->blocks);
    }
    return Key(key_ref)->blocks != StateRegion::kNone;
  }
  // The end of a key: what has not been given yet, then nothing.
  bool GiveUp(Ref key_ref, Record& out, Arena& arena, bool& more) {
    if (HasChanged(key_ref)) {
      FillAll(key_ref, true, 0, out, arena);
      more = true;
      return true;
    }
    more = FreeSome(key_ref);
    return false;
  }
  Ref LastBlock(Ref key_ref) const {
    Ref last = StateRegion::kNone;
    for (Ref at = Key(key_ref)->blocks; at != StateRegion::kNone; at = BlockAt(at)->next) last = at;
    return last;
  }
  Ref NewFor(Ref key_ref, Ref previous, std::int64_t time, const char*& refusal) {
    const Ref fresh = InsertBlock(key_ref, previous, time);
    if (fresh == StateRegion::kNone) refusal = "state_full";
    return fresh;
  }
};

class SlidingRun final : public RecordRun {
 public:
  using RecordRun::RecordRun;

 private:
  bool IsLate(const WindowKey* key, std::int64_t time) const override {
    return key != nullptr && key->time_max != kNever && time <= key->time_max - plan().length;
  }
  Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) override {
    Ref previous = StateRegion::kNone;
    for (Ref at = Key(key_ref)->blocks; at != StateRegion::kNone && BlockAt(at)->start <= time;
         at = BlockAt(at)->next) {
      previous = at;
    }
    const WindowKey& key = *Key(key_ref);
    if (key.blocks_open >= plan().windows_max && !IsOld(key, key.blocks, time)) {
      refusal = "windows_full";
      return StateRegion::kNone;
    }
    return NewFor(key_ref, previous, time, refusal);
  }
  bool IsOld(const WindowKey& key, Ref ref, std::int64_t time) const {
    return BlockAt(ref)->start <= std::max(key.time_max, time) - plan().length;
  }
  bool IsDue(Ref) const override { return true; }
  bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) override {
    if (work != Work::kDue) {
      more = FreeSome(key_ref);
      return false;
    }
    const WindowKey& key = *Key(key_ref);
    for (int i = 0; IsOld(key, key.blocks, kNever); ++i) {
      more = i == kFreedAtOnce;
      if (more) return false;
      RemoveBlock(key_ref, StateRegion::kNone, key.blocks);
    }
    FillAll(key_ref, false, plan().length, out, arena);
    return true;
  }
};

class CountRun final : public RecordRun {
 public:
  using RecordRun::RecordRun;

 private:
  Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) override {
    const Ref last = LastBlock(key_ref);
    if (last != StateRegion::kNone && BlockAt(last)->records < plan().count) return last;
    return NewFor(key_ref, last, time, refusal);
  }
  bool IsDue(Ref key_ref) const override {
    return Key(key_ref)->blocks_open == plan().panes &&
           BlockAt(LastBlock(key_ref))->records >= plan().count;
  }
  bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) override {
    if (work != Work::kDue) return GiveUp(key_ref, out, arena, more);
    FillAll(key_ref, false, 0, out, arena);
    RemoveBlock(key_ref, StateRegion::kNone, Key(key_ref)->blocks);
    return true;
  }
};

class GlobalRun final : public RecordRun {
 public:
  using RecordRun::RecordRun;

 private:
  Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) override {
    const Ref block = Key(key_ref)->blocks;
    return block != StateRegion::kNone ? block : NewFor(key_ref, StateRegion::kNone, time, refusal);
  }
  bool IsDue(Ref) const override { return plan().on_change || plan().when != nullptr; }
  bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) override {
    const Ref block = Key(key_ref)->blocks;
    if (work != Work::kDue && work != Work::kSweep) return GiveUp(key_ref, out, arena, more);
    if (work == Work::kSweep && BlockAt(block)->changed == 0) return false;
    FillAll(key_ref, false, 0, out, arena);
    if (work == Work::kDue && !only_named() && !IsWanted(block, out, arena)) {
      ChangeBlock(block)->changed = 1;
      return false;
    }
    if (plan().reset) RemoveBlock(key_ref, StateRegion::kNone, block);
    return true;
  }

  bool IsWanted(Ref block, const Record& out, Arena& arena) {
    if (plan().when != nullptr) {
      const Value value = plan().when->Evaluate(out, arena);
      if (value.type() == Type::kBool) return value.AsBool();
      Fail(value.IsError() ? value.Reason() : "when_not_a_bool");
      return true;
    }
    std::uint64_t digest = 1;
    for (const AggregateColumn& column : plan().columns) {
      digest = Digest(out.Get(column.result_field), digest);
    }
    if (digest == BlockAt(block)->digest) return false;
    ChangeBlock(block)->digest = digest;
    return true;
  }
};

}  // namespace

std::unique_ptr<WindowRun> MakeSlidingRun(const WindowPlan& plan, StateRegion& region,
                                          StateRegion::Ref root_block) {
  return std::make_unique<SlidingRun>(plan, region, root_block);
}

std::unique_ptr<WindowRun> MakeCountRun(const WindowPlan& plan, StateRegion& region,
                                        StateRegion::Ref root_block) {
  return std::make_unique<CountRun>(plan, region, root_block);
}

std::unique_ptr<WindowRun> MakeGlobalRun(const WindowPlan& plan, StateRegion& region,
                                         StateRegion::Ref root_block) {
  return std::make_unique<GlobalRun>(plan, region, root_block);
}

}  // namespace runnel
