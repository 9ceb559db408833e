#include "pipelines/batch/csv_groups.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

constexpr std::int64_t kFarthest = 900'000'000'000'000'000;  // microseconds

std::int64_t FactorOf(TimeUnit unit) {
  if (unit == TimeUnit::kSeconds) return 1'000'000;
  return unit == TimeUnit::kMilliseconds ? 1'000 : 1;
}

// Numbers of at most 8 characters, and whole ones of at most 16, as JSON writes them.
// REQUIRES: 16 readable bytes behind `begin`.
enum class Usual : std::uint8_t { kNone, kInt, kDouble };
inline Usual ReadUsualNumber(const char* begin, const char* stop, std::int64_t& whole_number,
                             double& number) {
  static constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
  const bool negative = begin < stop && *begin == '-';
  begin += negative ? 1 : 0;
  const auto size = static_cast<std::size_t>(stop - begin);
  if (size == 0 || size > 16) return Usual::kNone;
  const std::uint64_t first = scan::Load8(begin) ^ (scan::kOnes * '0');
  if (size > 8) {
    // The first digits stand in front of eight more.
    const std::uint64_t low = scan::Load8(stop - 8) ^ (scan::kOnes * '0');
    const std::uint64_t high = first << (64 - 8 * (size - 8));
    if ((scan::NotDigits(low) | scan::NotDigits(high)) != 0 || *begin == '0') return Usual::kNone;
    const auto digits =
        static_cast<std::int64_t>(scan::EightDigits(high) * 100'000'000 + scan::EightDigits(low));
    whole_number = negative ? -digits : digits;
    return Usual::kInt;
  }
  // The characters at the end of the word, zeros in front.
  const std::uint64_t digits = first << (64 - 8 * size);
  const std::uint64_t others = scan::NotDigits(digits);
  if (others == 0) {
    if (*begin == '0' && (size > 1 || negative)) return Usual::kNone;
    const auto magnitude = static_cast<std::int64_t>(scan::EightDigits(digits));
    whole_number = negative ? -magnitude : magnitude;
    return Usual::kInt;
  }
  const int point = std::countr_zero(others) / 8;
  const std::size_t whole = static_cast<std::size_t>(point) - (8 - size);
  const bool is_point = (others & (others - 1)) == 0 && begin[whole] == '.';
  if (!is_point || point == 7 || whole == 0 || (*begin == '0' && whole > 1)) return Usual::kNone;
  const std::uint64_t before = digits & ((std::uint64_t{1} << 8 * point) - 1);
  const std::uint64_t behind = digits >> 8 * point >> 8 << 8 * point << 8;
  const auto mantissa = static_cast<std::int64_t>(scan::EightDigits(before << 8 | behind));
  // Both operands are exact, so the one rounding is the right one (Clinger, 1990).
  const double magnitude = static_cast<double>(mantissa) / kPowers[7 - point];
  number = negative ? -magnitude : magnitude;
  return Usual::kDouble;
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

inline const char* CsvGroups::Next(Specials& specials) const {
  while (specials.found == 0) {
    specials.block += 64;
    if (specials.block >= end_) return end_;
    specials.found = scan::Find64(specials.block, delimiter_, '\n', quote_);
  }
  const char* const special = specials.block + std::countr_zero(specials.found);
  specials.found &= specials.found - 1;
  return special;
}

inline bool CsvGroups::TakeField(Column column, const char* begin, const char* stop,
                                 GroupFeed& feed) {
  if (column.use == Use::kKey) {
    key_ = {begin, static_cast<std::size_t>(stop - begin)};
    return begin < stop && IsSurelyText(*begin);
  }
  std::int64_t whole = 0;
  double number = 0;
  const Usual usual = ReadUsualNumber(begin, stop, whole, number);
  if (usual == Usual::kNone) return TakeOtherNumber(column, begin, stop, feed);
  if (column.use == Use::kValue) {
    // In its place: a copy would wait for the stores of its parts.
    Value* const place = feed.values() + column.value;
    if (usual == Usual::kDouble) {
      std::construct_at(place, Value::Double(number));
    } else {
      std::construct_at(place, Value::Int(whole));
      doubles_ = false;
    }
    return true;
  }
  return usual == Usual::kInt && SetTime(whole);
}

bool CsvGroups::SetTime(std::int64_t number) {
  if (__builtin_mul_overflow(number, factor_, &time_)) return false;
  return time_ <= kFarthest && time_ >= -kFarthest;
}

bool CsvGroups::TakeOtherNumber(Column column, const char* begin, const char* stop,
                                GroupFeed& feed) {
  Value value;
  if (begin == stop || (*begin != '-' && (*begin < '0' || *begin > '9')) ||
      numbers_.ReadValue(begin, 0, value) != stop) {
    return false;
  }
  if (column.use != Use::kValue) return value.type() == Type::kInt && SetTime(value.AsInt());
  feed.values()[column.value] = value;
  doubles_ = doubles_ && value.type() == Type::kDouble;
  return true;
}

inline bool CsvGroups::TakeRow(Specials& specials, const char*& at, GroupFeed& feed) {
  const char* field = at;
  const Column* const columns = columns_.data();
  const std::size_t last = columns_.size() - 1;
  const char* special = nullptr;
  for (std::size_t i = 0; i < last; ++i) {
    special = Next(specials);
    if (special >= end_ || *special != delimiter_) return false;
    if (columns[i].use != Use::kNothing && !TakeField(columns[i], field, special, feed)) {
      return false;
    }
    field = special + 1;
  }
  special = Next(specials);
  // A last row without its end is as good as any, but seldom.
  if (special >= end_ || *special != '\n' || special == at) return false;
  const char* stop = special;
  if (stop > field && stop[-1] == '\r') --stop;
  if (columns[last].use != Use::kNothing && !TakeField(columns[last], field, stop, feed)) {
    return false;
  }
  at = special + 1;
  return true;
}

std::size_t CsvGroups::Take(std::size_t& at, std::size_t count, GroupFeed& feed) {
  const char* next = begin_ + at;
  if (next >= end_) return 0;
  Specials specials{next, scan::Find64(next, delimiter_, '\n', quote_)};
  std::size_t taken = 0;
  for (; taken < count && next < end_; ++taken) {
    doubles_ = true;
    if (!TakeRow(specials, next, feed)) break;
    if (!doubles_ && feed.CheckValues() != nullptr) break;
    feed.SetTextKey(key_);
    const std::int64_t start = PaneOf(time_);
    feed.Push(start, TimeFromMicroseconds(time_), GroupTable::HashOfText(key_, start));
    at = static_cast<std::size_t>(next - begin_);
  }
  return taken;
}

}  // namespace runnel
