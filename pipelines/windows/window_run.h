// WindowRun: what a task has of a window step; the part that is the same for all kinds.
//
// A key has blocks: windows, or panes that several windows are merged from, earliest
// first. A kind says where a record belongs, when a key has something to give, and gives
// one result at a time; here is what finds the key, feeds the aggregates, and decides
// whose turn it is: a key that its own watermark has closed, one that is evicted, one that
// fell silent, or every open key at a boundary of time (a sweep).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipelines/base/key_table.h"
#include "pipelines/operators/operator.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

class WindowRun : public OperatorRun {
 public:
  WindowRun(const WindowPlan& plan, StateRegion& region, StateRegion::Ref root_block);
  // Takes up what is at `root` of the region, or begins anew.
  static Result<std::unique_ptr<OperatorRun>> Start(const WindowPlan& plan, StateRegion& region,
                                                    int root);

  Verdict Apply(Record& record, Arena& arena) final;
  void UseClock(const SilenceClock& clock) final { clock_ = &clock; }
  void AdvanceTo(Time now) final;
  void End() final;
  void GoOn() final;
  bool HasPending() const final {
    if (stirred_) stirred_ = NextWork() != Work::kNone;
    return stirred_;
  }
  Product Produce(Record& out, Arena& arena) final;
  Product Discard(Record& out, Arena& arena) final;
  std::optional<Time> NextDeadline() const final;
  void Save(ByteWriter& writer) const final;
  Status Load(ByteReader& reader) final;

  static constexpr std::uint32_t kRecordsMax = (1U << 30) - 1;  // that a block counts

  // Bytes of a block before the states of the aggregates.
  static std::size_t HeadSize(WindowKind kind);
  // Bytes of a key of usual length, without its blocks.
  static std::size_t KeyBytes();

 protected:
  using Ref = StateRegion::Ref;
  static constexpr std::int64_t kNever = INT64_MIN;
  static constexpr std::int64_t kForever = SilenceClock::kForever;

  struct Block {
    Ref next;
    std::uint32_t records : 30;
    std::uint32_t cut : 1;      // the region had no room for all of it: its results are none
    std::uint32_t changed : 1;  // since the last early result
    std::int64_t start;         // of the pane; of other kinds the earliest record's time
    // Where HeadSize has room for them:
    std::int64_t last;     // the latest record's time
    std::uint64_t digest;  // of the last result; kGlobal
  };
  struct WindowKey {
    Ref blocks;  // earliest first
    std::uint32_t blocks_open;
    std::int64_t time_max;      // highest event time; microseconds, as all below
    std::int64_t closed_until;  // end of the last window that has closed
    std::int64_t last_arrival;
  };
  // Why a key is looked at.
  enum class Work : std::uint8_t { kNone, kDue, kEviction, kEnd, kSilence, kSweep };

  // For the kinds to say.
  // The open block of `key` that a record belongs to, where a look is enough to say so, and
  // that the record is not late and nothing is due behind it; else kNone, and the functions
  // below decide.
  virtual Ref Usual(const WindowKey& /*key*/, std::int64_t /*time*/) const {
    return StateRegion::kNone;
  }
  // Whether the window of a record has closed; `key` is nullptr for one that is new.
  virtual bool IsLate(const WindowKey* key, std::int64_t time) const = 0;
  // The block that a record belongs to, new where need be; kNone with a reason.
  virtual Ref BlockFor(Ref key_ref, std::int64_t time, const char*& refusal) = 0;
  // After a record was added: whether the key has something to give at once.
  virtual bool IsDue(Ref key_ref) const = 0;
  // Gives one result, or does what else there is to do for this reason. Sets `more` where
  // the reason still holds.
  virtual bool Emit(Ref key_ref, Work work, Record& out, Arena& arena, bool& more) = 0;
  // When the next sweep is due, after one at `swept`; kForever: never.
  virtual std::int64_t NextSweep(std::int64_t swept) const = 0;

  const WindowPlan& plan() const { return *plan_; }
  StateRegion& region() { return *region_; }
  WindowKey* Key(Ref key_ref) const { return keys_.User<WindowKey>(key_ref); }
  WindowKey* ChangeKey(Ref key_ref) {
    WindowKey* key = Key(key_ref);
    region_->Touch(key, sizeof *key);
    return key;
  }
  Block* BlockAt(Ref ref) const { return region_->Get<Block>(ref); }
  Block* ChangeBlock(Ref ref);
  std::byte* States(Ref ref) const { return region_->Get<std::byte>(ref) + plan_->head_size; }
  bool HasLast() const { return plan_->head_size > 16; }
  std::int64_t now() const { return root().now; }
  std::int64_t swept() const { return root().swept; }
  std::int64_t evicted_watermark() const { return root().evicted_watermark; }
  std::int64_t Watermark(const WindowKey& key) const {
    return key.time_max == kNever ? kNever : key.time_max - plan_->lateness;
  }

  // A new block behind `previous` (kNone: the first); kNone where there is no room.
  Ref InsertBlock(Ref key_ref, Ref previous, std::int64_t start);
  // A block that belongs to no key, for merging; freed with FreeBlock.
  Ref NewBlock(std::int64_t start);
  void FreeBlock(Ref ref);
  // The last block of the key that starts at `start` or before; kNone: all start later. Where a key
  // may have very many, over files or with much lateness, not all that start earlier are looked at.
  Ref LastUntil(const WindowKey& key, std::int64_t start) const;
  // Whether a window that is given for this reason is not whole.
  bool IsCut(Work work) const {
    return work == Work::kEviction || (work == Work::kEnd && !plan_->stays_open);
  }

  // Takes the block behind `previous` out of the key's list and frees it.
  void RemoveBlock(Ref key_ref, Ref previous, Ref ref);
  // Adds what `from` has seen to `to`.
  void MergeBlock(Ref to, Ref from);
  // Fills a result: the key, the aggregates of `block` (kNone: none were seen), the times.
  void Fill(Ref key_ref, Ref block, const Interval& window, bool partial, Record& out,
            Arena& arena);
  // Whether the first result of this work is only named, not computed (Discard).
  bool only_named() const { return only_named_; }
  void Fail(const char* reason) { failure_ = reason; }

 private:
  struct Root {
    KeyTableState keys;
    Ref due_key;      // has something to give at once
    Ref evicted_key;  // is being evicted
    Ref sweep_key;    // is next in the sweep
    std::uint32_t flags;
    std::int64_t now;
    std::int64_t evicted_watermark;  // older windows of unknown keys are late
    std::int64_t swept;              // time of the last sweep
    std::int64_t next_sweep;         // kForever: none
  };

  // A key, by RefOf, and one of its blocks.
  struct Hint {
    Ref key = StateRegion::kNone;
    Ref block = StateRegion::kNone;
  };

  // Where the key is in the region, whatever the region's address is.
  Ref RefOf(const WindowKey& key) const {
    const auto* const at = reinterpret_cast<const std::byte*>(&key);
    return static_cast<Ref>(static_cast<std::size_t>(at - region_->data()) / StateRegion::kUnit);
  }
  bool Walk(Ref& at, std::int64_t start, int blocks) const;
  void Remember(const WindowKey& key, Ref block);
  void ForgetMilestone(const WindowKey& key, Ref block);
  const Root& root() const { return *region_->Get<Root>(root_block_); }
  Root* ChangeRoot() {
    stirred_ = true;
    return region_->Change<Root>(root_block_);
  }
  const char* EvaluateArguments(const Record& record, Arena& arena);
  const char* AskAggregates() const;
  bool IsSkipped(const ColumnFeed& feed) const;
  Ref AddKey(std::uint64_t hash, const char*& refusal);
  void AddTo(Ref block, std::int64_t time);
  void KeepTime(Ref key_ref, std::int64_t time, std::int64_t arrival);
  void PutIntoOpenList(Ref key_ref);
  std::int64_t DueAt(std::int64_t last) const;
  Work NextWork() const;
  Product DoWork(Record& out, Arena& arena);
  void Settle(Ref key_ref, Work work, bool more);
  void SaveKey(Ref key_ref, ByteWriter& writer) const;
  bool LoadKey(ByteReader& reader);

  const WindowPlan* plan_;
  StateRegion* region_;
  Ref root_block_;
  KeyTable keys_;
  const SilenceClock* clock_ = nullptr;
  bool only_named_ = false;
  const char* failure_ = nullptr;  // of the result that is being filled
  KeyBuffer key_;                  // scratch: of the record
  std::vector<Value> values_;      // scratch: of the arguments; the last is always there
  bool all_usual_ = false;         // scratch: finite doubles, each of them
  // Scratch, where a key may have many blocks; else empty. Of a key the block that was looked for
  // last, and of one that has many, by RefOf, one block of so many in their order.
  mutable std::vector<Hint> hints_;
  mutable std::unordered_map<Ref, std::vector<Ref>> milestones_;
  // Something that NextWork() looks at may have changed since it found nothing.
  mutable bool stirred_ = true;
};

// The kinds.
std::unique_ptr<WindowRun> MakeGridRun(const WindowPlan& plan, StateRegion& region,
                                       StateRegion::Ref root_block);
std::unique_ptr<WindowRun> MakeSessionRun(const WindowPlan& plan, StateRegion& region,
                                          StateRegion::Ref root_block);
std::unique_ptr<WindowRun> MakeSlidingRun(const WindowPlan& plan, StateRegion& region,
                                          StateRegion::Ref root_block);
std::unique_ptr<WindowRun> MakeCountRun(const WindowPlan& plan, StateRegion& region,
                                        StateRegion::Ref root_block);
std::unique_ptr<WindowRun> MakeGlobalRun(const WindowPlan& plan, StateRegion& region,
                                         StateRegion::Ref root_block);

}  // namespace runnel
