// Tumbling and hopping windows: panes on a grid; a window is so many of them in a row.
//
// A tumbling window is one pane. Of hopping ones the panes are merged when the window
// closes, so that a record is added once, however many windows it is in. Source: Li et
// al., "No pane, no gain", SIGMOD Record 34, 2005.
#include <algorithm>

#include "pipelines/windows/window_run.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

class GridRun final : public WindowRun {
 public:
  using WindowRun::WindowRun;

 private:
  const Grid& grid() const { return plan().grid; }

  bool IsLate(const WindowKey* key, std::int64_t time) const override {
    start_ = StartOf(key, time);
    const std::int64_t end = grid().Shift(start_, plan().panes);
    if (key == nullptr) return end <= evicted_watermark();
    if (end <= key->closed_until) return true;
    return plan().event_time && key->time_max != kNever && end <= Watermark(*key);
  }

  // The pane is the key's first open one in nearly every record: no division.
  std::int64_t StartOf(const WindowKey* key, std::int64_t time) const {
    if (key != nullptr && key->blocks != StateRegion::kNone && !grid().zone.has_value()) {
      const std::int64_t first = BlockAt(key->blocks)->start;
      if (time >= first && time - first < grid().every) return first;
    }
    return grid().StartOf(time);
  }

  // A record of the key's first open pane that closes nothing: no division.
  Ref Usual(const WindowKey& key, std::int64_t time) const override {
    if (key.blocks == StateRegion::kNone || grid().zone.has_value() || plan().fill > 0) {
      return StateRegion::kNone;
    }
    const std::int64_t every = grid().every;
    const std::int64_t start = BlockAt(key.blocks)->start;
    if (time < start || time - start >= every) return StateRegion::kNone;
    if (start + plan().panes * every <= key.closed_until) return StateRegion::kNone;
    const bool closes =
        plan().event_time && std::max(key.time_max, time) - plan().lateness >= start + every;
    return closes ? StateRegion::kNone : key.blocks;
  }

  Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) override {
    const Ref last = LastUntil(*Key(key_ref), start_);
    if (last != StateRegion::kNone && BlockAt(last)->start == start_) return last;
    if (Key(key_ref)->blocks_open >= plan().windows_max && !ClosesFirst(key_ref, time)) {
      refusal = "windows_full";
      return StateRegion::kNone;
    }
    if (plan().panes > 1 && plan().fill == 0 && !plan().stays_open) PassClosed(key_ref);
    const Ref fresh = InsertBlock(key_ref, last, start_);
    if (fresh == StateRegion::kNone) refusal = "state_full";
    return fresh;
  }

  // A pane may be part of windows that the watermark has closed when they had nothing yet: what is
  // new in it is too late for them.
  void PassClosed(Ref key_ref) {
    const WindowKey& key = *Key(key_ref);
    if (!plan().event_time || key.time_max == kNever) return;
    const std::int64_t closed = grid().StartOf(Watermark(key));
    if (closed > key.closed_until) ChangeKey(key_ref)->closed_until = closed;
  }

  // Whether a record of this time closes the earliest window of the key: then it is one
  // too many only until the next step.
  bool ClosesFirst(Ref key_ref, std::int64_t time) const {
    const WindowKey& key = *Key(key_ref);
    if (!plan().event_time) return NextEnd(key) <= now();
    return NextEnd(key) <= std::max(key.time_max, time) - plan().lateness;
  }

  // The end of the earliest window that has not closed and has something in it, or, where
  // empty ones are wanted, of the earliest behind the last one.
  std::int64_t NextEnd(const WindowKey& key) const {
    if (key.blocks == StateRegion::kNone) return kForever;
    const std::int64_t first = BlockAt(key.blocks)->start;
    const std::int64_t end = grid().Next(first);
    if (key.closed_until == kNever) return end;
    if (key.closed_until >= end) return grid().Next(key.closed_until);
    if (plan().fill == 0 || key.closed_until >= first) return end;
    return std::max(grid().Next(key.closed_until), grid().Shift(first, 1 - plan().fill));
  }

  bool IsDue(Ref key_ref) const override {
    const WindowKey& key = *Key(key_ref);
    return plan().event_time && NextEnd(key) <= Watermark(key);
  }

  bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) override {
    const std::int64_t end = NextEnd(*Key(key_ref));
    if (work == Work::kSweep && (plan().event_time || end > now())) {
      return EmitEarly(key_ref, end, out, arena);
    }
    FillUntil(key_ref, end, IsCut(work), out, arena);
    ChangeKey(key_ref)->closed_until = end;
    const Ref first = Key(key_ref)->blocks;
    if (BlockAt(first)->start <= grid().Shift(end, -plan().panes)) {
      RemoveBlock(key_ref, StateRegion::kNone, first);
    }
    if (work == Work::kDue) more = IsDue(key_ref);
    if (work == Work::kSweep) {
      more = Key(key_ref)->blocks != StateRegion::kNone &&
             (NextEnd(*Key(key_ref)) <= now() || plan().every > 0);
    }
    return true;
  }

  // What the next window has so far, if that is new since the last time.
  bool EmitEarly(Ref key_ref, std::int64_t end, Record& out, Arena& arena) {
    if (plan().every == 0 || now() / plan().every == swept() / plan().every) return false;
    bool changed = false;
    for (Ref at = Key(key_ref)->blocks; at != StateRegion::kNone && BlockAt(at)->start < end;
         at = BlockAt(at)->next) {
      if (BlockAt(at)->changed == 0) continue;
      changed = true;
      ChangeBlock(at)->changed = 0;
    }
    if (!changed) return false;
    FillUntil(key_ref, end, true, out, arena);
    return true;
  }

  void FillUntil(Ref key_ref, std::int64_t end, bool partial, Record& out, Arena& arena) {
    const Interval window{TimeFromMicroseconds(grid().Shift(end, -plan().panes)),
                          TimeFromMicroseconds(end)};
    const Ref first = Key(key_ref)->blocks;
    if (plan().panes == 1 && BlockAt(first)->start < end) {
      return Fill(key_ref, first, window, partial, out, arena);
    }
    const Ref merged = NewBlock(Microseconds(window.start));
    if (merged == StateRegion::kNone) {
      // The times and the key must come out all the same.
      Fill(key_ref, first, window, partial, out, arena);
      return Fail("state_full");
    }
    for (Ref at = first; at != StateRegion::kNone && BlockAt(at)->start < end;
         at = BlockAt(at)->next) {
      MergeBlock(merged, at);
    }
    Fill(key_ref, merged, window, partial, out, arena);
    FreeBlock(merged);
  }

  std::int64_t NextSweep(std::int64_t swept) const override {
    std::int64_t next = kForever;
    if (!plan().event_time) next = grid().Next(grid().StartOf(swept));
    if (plan().every > 0) next = std::min(next, (swept / plan().every + 1) * plan().every);
    return next;
  }

  mutable std::int64_t start_ = 0;  // of the pane of the record that IsLate saw last
};

}  // namespace

std::unique_ptr<WindowRun> MakeGridRun(const WindowPlan& plan, StateRegion& region,
                                       StateRegion::Ref root_block) {
  return std::make_unique<GridRun>(plan, region, root_block);
}

}  // namespace runnel
