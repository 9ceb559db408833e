#include "pipelines/batch/group_feed.h"

#include <cmath>

namespace runnel {
namespace {

bool IsUsual(const Value& value) {
  return value.type() == Type::kDouble && std::isfinite(value.AsDouble());
}

}  // namespace

const char* GroupFeed::CheckValues() {
  const Value* values = &values_[count_ * arguments_];
  bool all_usual = true;
  for (std::size_t i = 0; i < arguments_; ++i) all_usual &= IsUsual(values[i]);
  if (all_usual && plan_->takes_numbers) return nullptr;
  all_there_ = false;
  for (const AggregateColumn& column : plan_->columns) {
    if (column.filter >= 0) {
      const Value& filter = values[column.filter];
      if (filter.type() != Type::kBool) return filter.IsMissing() ? "no_such_field" : "not_a_bool";
    }
    if (column.argument < 0 || IsSkipped(column, values)) continue;
    if (const char* reason = column.aggregate->Refuses(values + column.argument)) return reason;
  }
  return nullptr;
}

bool GroupFeed::IsSkipped(const AggregateColumn& column, const Value* values) const {
  if (column.filter >= 0 && !values[column.filter].AsBool()) return true;
  for (int i = 0; i < column.arguments; ++i) {
    const Value& value = values[column.argument + i];
    if (value.IsMissing() || value.IsNull()) return true;
  }
  return false;
}

// More room; the keys that there are move with it.
void GroupFeed::Spill(std::size_t size) {
  std::vector<char> larger(2 * key_bytes_.size() + size);
  std::memcpy(larger.data(), key_bytes_.data(), used_);
  for (std::size_t i = 0; i < count_; ++i) {
    if (keys_[i].is_text) continue;
    keys_[i].bytes = larger.data() + (keys_[i].bytes - key_bytes_.data());
  }
  key_bytes_ = std::move(larger);
}

// The values of a column with one argument, which are all finite doubles; else nullptr.
const double* GroupFeed::NumbersOf(const AggregateColumn& column) {
  if (!all_there_ || column.arguments != 1) return nullptr;
  if (numbers_of_ != column.argument) {
    numbers_of_ = column.argument;
    const Value* value = &values_[static_cast<std::size_t>(column.argument)];
    for (std::size_t i = 0; i < count_; ++i, value += arguments_) numbers_[i] = value->AsDouble();
  }
  return numbers_;
}

bool GroupFeed::AddTo(GroupTable& table, StateRegion& region) {
  const std::uint64_t refusals = region.refusals();
  for (std::size_t i = 0; i < count_; ++i) table.Prefetch(hashes_[i]);
  for (std::size_t i = 0; i < count_; ++i) table.PrefetchGroup(hashes_[i]);
  for (std::size_t i = 0; i < count_; ++i) {
    const Key& key = keys_[i];
    states_[i] = key.is_text ? table.FindText(key.view(), starts_[i], hashes_[i])
                             : table.Find(key.view(), starts_[i], hashes_[i]);
    if (states_[i] == nullptr) {
      Clear();
      return false;
    }
  }
  numbers_of_ = -1;
  for (const AggregateColumn& column : plan_->columns) {
    const std::size_t argument =
        column.argument < 0 ? 0 : static_cast<std::size_t>(column.argument);
    if (all_there_ || (column.arguments == 0 && column.filter < 0)) {
      column.aggregate->AddMany({states_, column.offset, &values_[argument], arguments_, times_,
                                 count_, NumbersOf(column)},
                                region);
      continue;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      const Value* values = &values_[i * arguments_];
      if (IsSkipped(column, values)) continue;
      column.aggregate->Add(states_[i] + column.offset, values + argument, times_[i], region);
    }
  }
  Clear();
  return region.refusals() == refusals;
}

}  // namespace runnel
