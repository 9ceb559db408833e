// GroupFeed: rows for a GroupTable, several at once.
//
// Finds all their groups first, so that one waits for memory while others are found, then
// goes through them aggregate by aggregate.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/group_table.h"

namespace runnel {

class GroupFeed final {
 public:
  static constexpr std::size_t kRows = 64;

  // `plan` outlives this.
  explicit GroupFeed(const WindowPlan& plan) : plan_(&plan), arguments_(plan.arguments.size()) {
    values_.assign(kRows * (arguments_ == 0 ? 1 : arguments_), Value::Bool(true));
  }

  // Of the next row: its encoded key, or that of a key of one text, which is borrowed until
  // the rows are added.
  void SetKey(std::string_view key) {
    char* const at = NewKey(key.size());
    std::memcpy(at, key.data(), key.size());
    keys_[count_] = {at, static_cast<std::uint32_t>(key.size()), false};
  }
  void SetTextKey(std::string_view text) {
    keys_[count_] = {text.data(), static_cast<std::uint32_t>(text.size()), true};
  }
  // What its values are to be filled into.
  Value* values() { return &values_[count_ * arguments_]; }
  std::size_t arguments() const { return arguments_; }
  std::size_t count() const { return count_; }

  // Whether the values can be added: a literal reason, or nullptr. REQUIRES: values() is full.
  const char* CheckValues();
  // The row is complete. REQUIRES: count() < kRows.
  void Push(std::int64_t start, Time time) {
    const Key& key = keys_[count_];
    starts_[count_] = start;
    times_[count_] = time;
    hashes_[count_++] = key.is_text ? GroupTable::HashOfText(key.view(), start)
                                    : GroupTable::HashOf(key.view(), start);
  }

  // Adds all rows to their groups and forgets them. `region` is the table's. False where it had no
  // room for all that the rows bring: then their groups are wrong.
  [[nodiscard]] bool AddTo(GroupTable& table, StateRegion& region);
  void Clear() {
    count_ = used_ = 0;
    all_there_ = true;
  }
  // The rows that are there, for who passes them on.
  struct View {
    std::string_view key;
    bool is_text;  // that is not encoded
    std::int64_t start;
    std::int64_t time;
    std::uint64_t hash;
    const Value* values;
  };
  View At(std::size_t i) const {
    return {keys_[i].view(),         keys_[i].is_text, starts_[i],
            Microseconds(times_[i]), hashes_[i],       &values_[i * arguments_]};
  }

 private:
  struct Key {
    const char* bytes;
    std::uint32_t size;
    bool is_text;
    std::string_view view() const { return {bytes, size}; }
  };

  char* NewKey(std::size_t size) {
    if (used_ + size > key_bytes_.size()) Spill(size);
    char* const at = key_bytes_.data() + used_;
    used_ += size;
    return at;
  }
  void Spill(std::size_t size);
  const double* NumbersOf(const AggregateColumn& column);
  bool IsSkipped(const AggregateColumn& column, const Value* values) const;

  const WindowPlan* plan_;
  std::size_t arguments_;
  std::size_t count_ = 0;
  bool all_there_ = true;  // no value is missing and no filter says no
  std::vector<char> key_bytes_ = std::vector<char>(64 * kRows);
  std::size_t used_ = 0;  // of them
  Key keys_[kRows];
  std::int64_t starts_[kRows];
  std::uint64_t hashes_[kRows];
  Time times_[kRows];
  std::byte* states_[kRows];
  double numbers_[kRows];  // of one argument, as they are handed on
  int numbers_of_ = -1;
  std::vector<Value> values_;  // of one row behind the other
};

}  // namespace runnel
