// Session windows: records of a key that lie less than a gap apart.
//
// [first record, last record + gap). A record between two sessions joins them, so a
// session is final only when the watermark is a gap behind its last record.
#include <algorithm>

#include "pipelines/windows/window_run.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

class SessionRun final : public WindowRun {
 public:
  using WindowRun::WindowRun;

 private:
  std::int64_t gap() const { return plan().length; }
  std::int64_t EndOf(Ref ref) const { return BlockAt(ref)->last + gap(); }

  // The earliest open session that a record of `time` would extend; they lie a gap apart. `last`
  // is the last one that starts at `time` or before.
  Ref Find(const WindowKey& key, Ref last, std::int64_t time) const {
    if (last != StateRegion::kNone && time < EndOf(last)) return last;
    const Ref next = last == StateRegion::kNone ? key.blocks : BlockAt(last)->next;
    const bool reaches = next != StateRegion::kNone && time > BlockAt(next)->start - gap();
    return reaches ? next : StateRegion::kNone;
  }

  bool IsLate(const WindowKey* key, std::int64_t time) const override {
    if (key == nullptr) return time + gap() <= evicted_watermark();
    if (Find(*key, LastUntil(*key, time), time) != StateRegion::kNone) return false;
    if (time < key->closed_until) return true;
    return plan().event_time && key->time_max != kNever && time + gap() <= Watermark(*key);
  }

  Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) override {
    const Ref last = LastUntil(*Key(key_ref), time);
    if (const Ref found = Find(*Key(key_ref), last, time); found != StateRegion::kNone) {
      Join(key_ref, found, time);
      return found;
    }
    if (Key(key_ref)->blocks_open >= plan().windows_max) {
      refusal = "windows_full";
      return StateRegion::kNone;
    }
    const Ref fresh = InsertBlock(key_ref, last, time);
    if (fresh == StateRegion::kNone) refusal = "state_full";
    return fresh;
  }

  // Takes in the sessions behind `found` that a record of `time` connects it to.
  void Join(Ref key_ref, Ref found, std::int64_t time) {
    const std::int64_t end = std::max(BlockAt(found)->last, time) + gap();
    const Ref next = BlockAt(found)->next;
    if (next == StateRegion::kNone || BlockAt(next)->start >= end) return;
    MergeBlock(found, next);
    RemoveBlock(key_ref, found, next);
  }

  std::int64_t Closing(const WindowKey& key) const {
    return plan().event_time ? Watermark(key) : now();
  }

  bool IsDue(Ref key_ref) const override {
    const WindowKey& key = *Key(key_ref);
    return key.blocks != StateRegion::kNone && EndOf(key.blocks) <= Closing(key);
  }

  bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) override {
    const Ref first = Key(key_ref)->blocks;
    const Interval window{TimeFromMicroseconds(BlockAt(first)->start),
                          TimeFromMicroseconds(EndOf(first))};
    if (work == Work::kSweep) {
      if (BlockAt(first)->changed == 0) return false;
      ChangeBlock(first)->changed = 0;
      Fill(key_ref, first, window, true, out, arena);
      return true;
    }
    Fill(key_ref, first, window, IsCut(work), out, arena);
    WindowKey* key = ChangeKey(key_ref);
    key->closed_until = std::max(key->closed_until, EndOf(first));
    RemoveBlock(key_ref, StateRegion::kNone, first);
    if (work == Work::kDue) more = IsDue(key_ref);
    return true;
  }

  std::int64_t NextSweep(std::int64_t swept) const override {
    return plan().every > 0 ? (swept / plan().every + 1) * plan().every : kForever;
  }
};

}  // namespace

std::unique_ptr<WindowRun> MakeSessionRun(const WindowPlan& plan, StateRegion& region,
                                          StateRegion::Ref root_block) {
  return std::make_unique<SessionRun>(plan, region, root_block);
}

}  // namespace runnel
