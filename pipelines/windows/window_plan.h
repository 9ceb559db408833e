// WindowPlan: a window step as it is compiled; WindowRun: what a task has of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"
#include "pipelines/windows/key_table.h"
#include "pipelines/windows/tumbling.h"

namespace runnel {

enum class Ahead { kReject, kClamp };
enum class KeysFull { kReject, kEvictOldest };

struct KeyPart {
  std::string name;  // of the field in the result
  std::string text;
  std::uint16_t result_field = 0;
  std::unique_ptr<Expression> expression;
};

struct AggregateColumn {
  std::string name;
  std::string text;
  std::uint16_t result_field = 0;
  std::unique_ptr<const Aggregate> aggregate;
  int argument = -1;       // index into WindowPlan::arguments; -1: none
  std::size_t offset = 0;  // of its state in the window's block
};

struct WindowPlan {
  Tumbling tumbling;
  bool event_time = false;
  std::int64_t lateness = 0;  // microseconds, as all below
  std::int64_t idle = 0;
  std::int64_t idle_grid = 0;  // idle deadlines are multiples of this
  std::int64_t max_ahead = 0;
  Ahead ahead = Ahead::kReject;
  std::uint32_t keys_max = 0;
  KeysFull keys_full = KeysFull::kReject;
  std::uint32_t windows_max = 0;
  std::vector<KeyPart> key;
  std::vector<std::unique_ptr<Expression>> arguments;  // of aggregates, each once
  std::vector<AggregateColumn> columns;
  std::size_t block_size = 0;  // of a window: head and all states
  std::uint16_t start_field = 0;
  std::uint16_t end_field = 0;
  std::uint16_t partial_field = 0;
  std::string text;  // for explain
  std::string mark;
};

// Appends the encoded key of `record`; a literal reason on failure.
const char* EncodeKey(const WindowPlan& plan, const Record& record, Arena& arena, std::string& key);

class WindowRun final : public OperatorRun {
 public:
  // Takes up what is at `root` of the region, or begins anew.
  static Result<std::unique_ptr<OperatorRun>> Start(const WindowPlan& plan, StateRegion& region,
                                                    int root);

  Verdict Apply(Record& record, Arena& arena) override;
  void AdvanceTo(Time now, bool counts) override;
  void Resume(Time now) override;
  void End() override;
  bool HasPending() const override;
  bool Produce(Record& out, Arena& arena) override;
  bool Discard(Record& out, Arena& arena) override;
  std::optional<Time> NextDeadline() const override;
  void Save(ByteWriter& writer) const override;
  Status Load(ByteReader& reader) override;

 private:
  struct Root {
    KeyTableState keys;
    StateRegion::Ref watermark_key;  // has windows that its watermark has closed
    StateRegion::Ref evicted_key;    // is being evicted
    std::uint32_t flags;
    std::uint32_t reserved;
    std::int64_t now;
    std::int64_t idle_base;          // silence counts from here at the earliest
    std::int64_t evicted_watermark;  // older windows of unknown keys are late
  };
  struct Window {
    StateRegion::Ref next;
    std::uint32_t reserved;
    std::int64_t start;
    // The states of the aggregates follow.
  };
  // What each record needs of a column, in a row.
  struct Feed {
    const Aggregate* aggregate;
    std::uint32_t offset;
    std::int32_t argument;
  };
  enum class Work { kNone, kWatermark, kEviction, kEnd, kTime };
  enum class Filling { kResult, kKeyOnly };

  WindowRun(const WindowPlan& plan, StateRegion& region, StateRegion::Ref root_block);

  const Root& root() const;
  Root* ChangeRoot();
  const char* EvaluateArguments(const Record& record, Arena& arena);
  std::int64_t StartOf(const KeyEntry* key, std::int64_t time) const;
  Verdict Absorb(StateRegion::Ref key_ref, std::int64_t start, std::int64_t time,
                 std::int64_t arrival);
  StateRegion::Ref AddKey(std::uint64_t hash, const char*& refusal);
  StateRegion::Ref FindOrAddWindow(StateRegion::Ref key_ref, std::int64_t start, std::int64_t time,
                                   const char*& refusal);
  bool ClosesFirst(StateRegion::Ref key_ref, std::int64_t time) const;
  bool IsLate(const KeyEntry* key, std::int64_t start) const;
  std::int64_t DueAt(std::int64_t listed) const;
  Work NextWork() const;
  bool DoWork(Record& out, Arena& arena, Filling filling);
  void Close(StateRegion::Ref key_ref, Record& out, Arena& arena, Filling filling, bool partial);
  void Fill(const KeyEntry& key, const Window& window, Record& out, Arena& arena, Filling filling,
            bool partial);
  void Settle(StateRegion::Ref key_ref, Work work);
  void SaveKey(const KeyEntry& key, ByteWriter& writer) const;
  bool LoadKey(ByteReader& reader);

  const WindowPlan* plan_;
  StateRegion* region_;
  StateRegion::Ref root_block_;
  KeyTable keys_;
  std::string key_;            // scratch: of the record
  std::vector<Value> values_;  // scratch: of the arguments
  std::vector<Feed> feeds_;    // of the columns
};

}  // namespace runnel
