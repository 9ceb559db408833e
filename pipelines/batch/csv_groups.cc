#include "pipelines/batch/csv_groups.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "pipelines/plan/admission.h"

namespace runnel {
namespace {

std::int64_t FactorOf(TimeUnit unit) {
  if (unit == TimeUnit::kSeconds) return 1'000'000;
  return unit == TimeUnit::kMilliseconds ? 1'000 : 1;
}

// A number of digits and one point among at most 8 characters, as JSON writes them, that does
// not begin with more than one zero; NaN where it is none of them. REQUIRES: 8 readable bytes
// behind `begin`.
inline double ReadShortDecimal(const char* begin, const char* stop) {
  static constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  constexpr std::uint64_t kPoint = '.' ^ '0';
  const auto size = static_cast<std::size_t>(stop - begin);
  if (size - 1 >= 8) return kNone;
  const std::uint64_t first = scan::Load8(begin) ^ (scan::kOnes * '0');
  // The characters at the end of the word, zeros in front.
  const auto front = static_cast<unsigned>(64 - 8 * size);
  const std::uint64_t digits = first << front;
  const std::uint64_t others = scan::NotDigits(digits);
  if (others == 0 || (others & (others - 1)) != 0) return kNone;
  const auto point = static_cast<unsigned>(std::countr_zero(others)) - 7;  // its lowest bit
  if ((digits >> point & 0xff) != kPoint || point == front || point == 56) return kNone;
  if ((first & 0xff) == 0 && point != front + 8) return kNone;
  const std::uint64_t before = (std::uint64_t{1} << point) - 1;
  const std::uint64_t mantissa =
      scan::EightDigits((digits & before) << 8 | (digits & ~before << 8));
  // Both operands are exact, so the one rounding is the right one (Clinger, 1990).
  return static_cast<double>(static_cast<std::int64_t>(mantissa)) / kPowers[7 - point / 8];
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

// Which columns are used; false where they are not as usual.
bool CsvGroups::ReadColumns(std::string_view header) {
  header_ = header;
  columns_.clear();
  behind_ = 0;
  if (header.find(quote_) != std::string_view::npos) return false;
  const WindowPlan& window = *plan_->window;
  const FieldTable& table = *plan_->plan().tables[0];
  int keys = 0;  // how many columns
  int times = 0;
  std::vector<int> values(window.arguments.size());
  std::string_view names = header;
  while (names.ends_with('\n') || names.ends_with('\r')) names.remove_suffix(1);
  for (bool more = true; more;) {
    const std::size_t stop = std::min(names.find(delimiter_), names.size());
    const int field = table.Find(names.substr(0, stop));
    more = stop < names.size();
    if (more) names.remove_prefix(stop + 1);
    const std::size_t before = columns_.size();
    const auto use = [&](Use what, std::size_t value, int& columns) {
      columns_.push_back({what, !more, static_cast<std::uint16_t>(value), behind_});
      ++columns;
    };
    if (field == window.key.parts[0].expression->AsField()) use(Use::kKey, 0, keys);
    if (field == plan_->plan().timestamp) use(Use::kTime, 0, times);
    for (std::size_t i = 0; i < window.arguments.size(); ++i) {
      if (window.arguments[i]->AsField() == field) use(Use::kValue, i, values[i]);
    }
    if (columns_.size() > before + 1) return false;
    behind_ = columns_.size() == before ? behind_ + 1 : 0;
  }
  const auto is_one = [](int columns) { return columns == 1; };
  return is_one(keys) && is_one(times) && std::all_of(values.begin(), values.end(), is_one);
}

bool CsvGroups::Start(std::string_view header, std::string_view chunk) {
  begin_ = chunk.data();
  end_ = begin_ + chunk.size();
  numbers_.Start(chunk, arena_);
  if (header != header_ || header_.empty()) usual_ = ReadColumns(header);
  return usual_;
}

[[gnu::always_inline]] inline std::int64_t CsvGroups::PaneOf(std::int64_t time) {
  // Rows of nearly one time: no division.
  const auto into = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(pane_start_);
  if (into >= static_cast<std::uint64_t>(plan_->window->grid.every)) {
    pane_start_ = plan_->window->grid.StartOf(time);
  }
  return pane_start_;
}

[[gnu::always_inline]] inline std::uint64_t CsvGroups::FindSpecials(const char* block) const {
  const std::uint64_t found = scan::Find64<scan::NotAscii::kFound>(block, delimiter_, '\n', quote_);
  const auto left = static_cast<std::size_t>(end_ - block);
  return left >= 64 ? found : found & ((std::uint64_t{1} << left) - 1);
}

// The next delimiter, quote, end of a line or byte that is not ASCII; a zero byte where the chunk
// ends.
[[gnu::always_inline]] inline const char* CsvGroups::Next(Specials& specials) const {
  static constexpr char kEnd = '\0';
  while (specials.found == 0) {
    specials.block += 64;
    if (specials.block >= end_) return &kEnd;
    specials.found = FindSpecials(specials.block);
  }
  const char* const special = specials.block + std::countr_zero(specials.found);
  specials.found &= specials.found - 1;
  return special;
}

// Goes behind so many delimiters; false where something else comes.
[[gnu::always_inline]] inline bool CsvGroups::Pass(Specials& specials, std::size_t columns,
                                                   const char*& at) const {
  for (; columns > 0; --columns) {
    const char* const special = Next(specials);
    if (*special != delimiter_) return false;
    at = special + 1;
  }
  return true;
}

[[gnu::always_inline]] inline bool CsvGroups::TakeTime(const char* begin, const char* stop) {
  const auto size = static_cast<std::size_t>(stop - begin);
  if (size != digits_) return TakeOtherTime(begin, stop);
  const std::uint64_t first = scan::Load8(begin) ^ (scan::kOnes * '0');
  const std::uint64_t low = scan::Load8(stop - 8) ^ (scan::kOnes * '0');
  if (first << (128 - 8 * size) != head_ || scan::NotDigits(low) != 0) {
    return TakeOtherTime(begin, stop);
  }
  time_ = head_time_ + static_cast<std::int64_t>(scan::EightDigits(low)) * factor_;
  return true;
}

bool CsvGroups::TakeOtherTime(const char* begin, const char* stop) {
  Value value;
  if (begin == stop || (*begin != '-' && (*begin < '0' || *begin > '9')) ||
      numbers_.ReadValue(begin, 0, value) != stop || value.type() != Type::kInt) {
    return false;
  }
  const std::optional<std::int64_t> time = ToMicroseconds(value, plan_->plan().unit);
  if (!time.has_value()) return false;
  time_ = *time;
  const auto size = static_cast<std::size_t>(stop - begin);
  constexpr std::int64_t kEight = 100'000'000;
  const std::int64_t head = value.AsInt() / kEight;
  // All that begin so are near enough.
  if (size > 8 && size <= 16 && head > 0 && head + 1 < kFarthestTime / kEight / factor_) {
    digits_ = size;
    head_ = (scan::Load8(begin) ^ (scan::kOnes * '0')) << (128 - 8 * size);
    head_time_ = head * kEight * factor_;
  }
  return true;
}

[[gnu::always_inline]] inline bool CsvGroups::TakeValue(const char* begin, const char* stop,
                                                        Value* place) {
  const double number = ReadShortDecimal(begin, stop);
  if (std::isnan(number)) return TakeOtherValue(begin, stop, place);
  // In its place: a copy would wait for the stores of its parts.
  std::construct_at(place, Value::Double(number));
  return true;
}

bool CsvGroups::TakeOtherValue(const char* begin, const char* stop, Value* place) {
  const bool negative = begin < stop && *begin == '-';
  if (const double number = ReadShortDecimal(begin + 1, stop); negative && !std::isnan(number)) {
    std::construct_at(place, Value::Double(-number));
    return true;
  }
  Value value;
  if (begin == stop || (*begin != '-' && (*begin < '0' || *begin > '9')) ||
      numbers_.ReadValue(begin, 0, value) != stop) {
    return false;
  }
  *place = value;
  doubles_ = doubles_ && value.type() == Type::kDouble && std::isfinite(value.AsDouble());
  return true;
}

[[gnu::always_inline]] inline bool CsvGroups::TakeField(const Column& column, const char* begin,
                                                        const char* stop, GroupFeed& feed) {
  switch (column.use) {
    case Use::kKey:
      key_ = {begin, static_cast<std::size_t>(stop - begin)};
      return begin < stop && key_.size() <= kBatchKeyMax - KeyPlan::kTextHead &&
             IsSurelyText(*begin);
    case Use::kTime:
      return TakeTime(begin, stop);
    case Use::kValue:
      return TakeValue(begin, stop, feed.values() + column.value);
  }
  return false;
}

[[gnu::always_inline]] inline bool CsvGroups::TakeRow(Specials& specials, const char*& at,
                                                      GroupFeed& feed) {
  const char* field = at;
  const char* special = nullptr;
  for (const Column& column : columns_) {
    if (!Pass(specials, column.unused, field)) return false;
    special = Next(specials);
    const char* stop = special;
    if (column.last) {
      if (*special != '\n') return false;
      if (stop > field && stop[-1] == '\r') --stop;
    } else if (*special != delimiter_) {
      return false;
    }
    if (!TakeField(column, field, stop, feed)) return false;
    field = special + 1;
  }
  if (behind_ > 0) {
    if (!Pass(specials, behind_ - 1, field)) return false;
    special = Next(specials);
    // A last row without its end is as good as any, but seldom.
    if (*special != '\n') return false;
  }
  at = special + 1;
  return true;
}

std::size_t CsvGroups::Take(std::size_t& at, std::size_t count, GroupFeed& feed) {
  const char* next = begin_ + at;
  if (next >= end_) return 0;
  Specials specials{next, FindSpecials(next)};
  std::size_t taken = 0;
  for (; taken < count && next < end_; ++taken) {
    doubles_ = true;
    if (!TakeRow(specials, next, feed)) break;
    if (!doubles_ && feed.CheckValues() != nullptr) break;
    feed.SetTextKey(key_);
    const std::int64_t start = PaneOf(time_);
    feed.Push(start, TimeFromMicroseconds(time_));
    at = static_cast<std::size_t>(next - begin_);
  }
  return taken;
}

}  // namespace runnel
