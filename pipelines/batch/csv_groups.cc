#include "pipelines/batch/csv_groups.h"

#include <algorithm>
#include <cstring>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

constexpr std::int64_t kFarthest = 900'000'000'000'000'000;  // microseconds

std::int64_t FactorOf(TimeUnit unit) {
  if (unit == TimeUnit::kSeconds) return 1'000'000;
  return unit == TimeUnit::kMilliseconds ? 1'000 : 1;
}

// Whether text that begins so is surely text, and not a number, a truth or missing.
bool IsSurelyText(char first) {
  return (first >= 'a' && first <= 'z' && first != 't' && first != 'f') ||
         (first >= 'A' && first <= 'Z') || first == '_';
}

}  // namespace

bool CsvGroups::Fits(const BatchPlan& plan) {
  if (plan.way != BatchWay::kGroups || plan.window_step != 0 || !plan.csv.has_value()) return false;
  const CompiledPlan& compiled = plan.plan();
  const CsvOptions& options = plan.csv->options;
  const WindowPlan& window = *plan.window;
  const auto is_field = [](const auto& expression) { return expression->AsField() >= 0; };
  return options.columns.empty() && options.null.empty() && options.types.empty() &&
         !options.trim && compiled.schema.empty() && compiled.timestamp.has_value() &&
         compiled.unit != TimeUnit::kNanoseconds && plan.origin.topic.empty() &&
         !plan.origin.column.has_value() && window.key.parts.size() == 1 &&
         is_field(window.key.parts[0].expression) && window.takes_numbers &&
         !window.grid.zone.has_value() &&
         std::all_of(window.arguments.begin(), window.arguments.end(), is_field);
}

CsvGroups::CsvGroups(const BatchPlan& plan)
    : plan_(&plan),
      delimiter_(plan.csv->dialect.delimiter),
      quote_(plan.csv->dialect.quote),
      factor_(FactorOf(plan.plan().unit)),
      arena_(1024),
      pane_start_(plan.window->grid.StartOf(0)) {}

bool CsvGroups::Start(std::string_view header, std::string_view chunk) {
  begin_ = chunk.data();
  end_ = begin_ + chunk.size();
  numbers_.Start(chunk, arena_);
  if (header != header_ || columns_.empty()) {
    header_ = header;
    columns_.clear();
    usual_ = header.find(quote_) == std::string_view::npos;
    std::string_view names = header;
    while (names.ends_with('\n') || names.ends_with('\r')) names.remove_suffix(1);
    std::size_t needed = 2;
    const FieldTable& table = *plan_->plan().tables[0];
    for (bool more = true; more;) {
      const std::size_t stop = std::min(names.find(delimiter_), names.size());
      const int field = table.Find(names.substr(0, stop));
      Column& column = columns_.emplace_back();
      more = stop < names.size();
      if (more) names.remove_prefix(stop + 1);
      const WindowPlan& window = *plan_->window;
      if (field == window.key.parts[0].expression->AsField()) column.use = Use::kKey;
      if (field == plan_->plan().timestamp) {
        usual_ = usual_ && column.use == Use::kNothing;
        column.use = Use::kTime;
      }
      for (std::size_t i = 0; i < window.arguments.size(); ++i) {
        if (window.arguments[i]->AsField() != field) continue;
        usual_ = usual_ && column.use == Use::kNothing;
        column.use = Use::kValue;
        column.value = static_cast<std::uint16_t>(i);
        ++needed;
      }
      if (column.use != Use::kNothing) used_columns_ = columns_.size();
    }
    const auto is_used = [](const Column& column) { return column.use != Use::kNothing; };
    const auto used = std::count_if(columns_.begin(), columns_.end(), is_used);
    usual_ = usual_ && static_cast<std::size_t>(used) == needed;
  }
  bool ascii = usual_;
  std::size_t at = 0;
  for (; ascii && at + 64 <= chunk.size(); at += 64) ascii = scan::IsAscii64(begin_ + at);
  for (; ascii && at < chunk.size(); ++at) ascii = static_cast<signed char>(chunk[at]) >= 0;
  return ascii;
}

std::int64_t CsvGroups::PaneOf(std::int64_t time) {
  // Rows of nearly one time: no division.
  const auto into = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(pane_start_);
  if (into >= static_cast<std::uint64_t>(plan_->window->grid.every)) {
    pane_start_ = plan_->window->grid.StartOf(time);
  }
  return pane_start_;
}

inline bool CsvGroups::TakeField(const Column& column, const char* begin, const char* stop,
                                 GroupFeed& feed) {
  if (column.use == Use::kKey) {
    key_ = {begin, static_cast<std::size_t>(stop - begin)};
    return begin < stop && IsSurelyText(*begin);
  }
  Value value;
  if (begin == stop || (*begin != '-' && (*begin < '0' || *begin > '9')) ||
      numbers_.ReadValue(begin, 0, value) != stop) {
    return false;
  }
  if (column.use == Use::kValue) {
    feed.values()[column.value] = value;
    return true;
  }
  if (value.type() != Type::kInt || __builtin_mul_overflow(value.AsInt(), factor_, &time_)) {
    return false;
  }
  return time_ <= kFarthest && time_ >= -kFarthest;
}

bool CsvGroups::TakeRow(const char*& at, GroupFeed& feed) {
  const char* field = at;
  const std::size_t last = columns_.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const char* const special = NextSpecial();
    if (special >= end_ || *special != delimiter_) return false;
    if (i < used_columns_ && columns_[i].use != Use::kNothing &&
        !TakeField(columns_[i], field, special, feed)) {
      return false;
    }
    field = special + 1;
  }
  const char* const special = NextSpecial();
  // A last row without its end is as good as any, but seldom.
  if (special >= end_ || *special != '\n' || special == at) return false;
  const char* stop = special;
  if (stop > field && stop[-1] == '\r') --stop;
  if (columns_[last].use != Use::kNothing && !TakeField(columns_[last], field, stop, feed)) {
    return false;
  }
  at = special + 1;
  return true;
}

std::size_t CsvGroups::Take(std::size_t& at, std::size_t count, GroupFeed& feed) {
  const char* next = begin_ + at;
  if (next >= end_) return 0;
  block_ = next;
  found_ = scan::Find64(block_, delimiter_, '\n', quote_);
  std::size_t taken = 0;
  while (taken < count && next < end_ && TakeRow(next, feed)) {
    if (feed.CheckValues() != nullptr) break;
    feed.SetTextKey(key_);
    feed.Push(PaneOf(time_), TimeFromMicroseconds(time_));
    at = static_cast<std::size_t>(next - begin_);
    ++taken;
  }
  return taken;
}

}  // namespace runnel
