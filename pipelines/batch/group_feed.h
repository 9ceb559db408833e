// GroupFeed: rows for a GroupTable, several at once.
//
// Finds all their groups first, so that one waits for memory while others are found, then
// goes through them aggregate by aggregate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/group_table.h"

namespace runnel {

class GroupFeed final {
 public:
  static constexpr std::size_t kRows = 64;

  // `plan` outlives this.
  explicit GroupFeed(const WindowPlan& plan)
      : plan_(&plan), arguments_(plan.arguments.size()), keys_(kRows) {
    values_.assign(kRows * (arguments_ == 0 ? 1 : arguments_), Value::Bool(true));
  }

  // What the next row is to be filled into.
  std::string& key() { return keys_[count_]; }
  Value* values() { return &values_[count_ * arguments_]; }
  std::size_t arguments() const { return arguments_; }
  std::size_t count() const { return count_; }

  // Whether the values can be added: a literal reason, or nullptr. REQUIRES: values() is full.
  const char* CheckValues();
  // The row is complete. REQUIRES: count() < kRows.
  void Push(std::int64_t start, Time time, std::uint64_t key_hash) {
    starts_[count_] = start;
    times_[count_] = time;
    hashes_[count_++] = GroupTable::HashOf(key_hash, start);
  }
  std::uint64_t last_hash() const { return hashes_[count_ - 1]; }

  // Adds all rows to their groups and forgets them. `region` is the table's.
  void AddTo(GroupTable& table, StateRegion& region);
  void Clear() {
    count_ = 0;
    all_there_ = true;
  }
  // The rows that are there, for who passes them on.
  struct View {
    std::string_view key;
    std::int64_t start;
    std::int64_t time;
    std::uint64_t hash;
    const Value* values;
  };
  View At(std::size_t i) const {
    return {keys_[i], starts_[i], Microseconds(times_[i]), hashes_[i], &values_[i * arguments_]};
  }

 private:
  bool IsSkipped(const AggregateColumn& column, const Value* values) const;

  const WindowPlan* plan_;
  std::size_t arguments_;
  std::size_t count_ = 0;
  bool all_there_ = true;  // no value is missing and no filter says no
  std::vector<std::string> keys_;
  std::int64_t starts_[kRows];
  std::uint64_t hashes_[kRows];
  Time times_[kRows];
  std::byte* states_[kRows];
  std::vector<Value> values_;  // of one row behind the other
};

}  // namespace runnel
