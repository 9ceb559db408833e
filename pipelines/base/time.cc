#include "pipelines/base/time.h"

#include <array>
#include <cstdio>

namespace runnel {
namespace {

constexpr std::int64_t kDurationMax = 10'000LL * 86'400 * 1'000'000;

struct Unit {
  std::string_view name;
  std::int64_t microseconds;
};

constexpr std::array<Unit, 6> kUnits = {{{"d", 86'400'000'000},
                                         {"h", 3'600'000'000},
                                         {"m", 60'000'000},
                                         {"s", 1'000'000},
                                         {"ms", 1'000},
                                         {"us", 1}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Digits at the start of `text`, taken off it; nullopt for none or too many.
std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  std::size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) {
    number = number * 10 + (text[digits] - '0');
    if (number > kDurationMax) return std::nullopt;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

// The unit at the start of `text`, taken off it: the whole word up to a digit.
std::optional<std::size_t> TakeUnit(std::string_view& text) {
  std::size_t letters = 0;
  while (letters < text.size() && !IsDigit(text[letters])) ++letters;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (kUnits[i].name == text.substr(0, letters)) {
      text.remove_prefix(letters);
      return i;
    }
  }
  return std::nullopt;
}

std::string InOneUnit(std::uint64_t microseconds) {
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<std::uint64_t>(unit.microseconds);
    if (microseconds % size == 0) return std::to_string(microseconds / size).append(unit.name);
  }
  return {};
}

std::string InAllUnits(std::uint64_t microseconds) {
  std::string text;
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<std::uint64_t>(unit.microseconds);
    if (microseconds < size) continue;
    text.append(std::to_string(microseconds / size)).append(unit.name);
    microseconds %= size;
  }
  return text;
}

// Reads a timestamp from left to right; everything is false after a mismatch.
class Cursor final {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  int Digits(int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (rest_.empty() || !IsDigit(rest_.front())) {
        ok_ = false;
        return 0;
      }
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Expect(char c) {
    if (!Take(c)) ok_ = false;
  }
  // `.25` as microseconds; nothing is 0.
  int Fraction() {
    if (!Take('.')) return 0;
    int microseconds = 0;
    int digits = 0;
    for (; !rest_.empty() && IsDigit(rest_.front()); rest_.remove_prefix(1), ++digits) {
      if (digits < 6) microseconds = microseconds * 10 + (rest_.front() - '0');
    }
    if (digits == 0) ok_ = false;
    for (; digits < 6; ++digits) microseconds *= 10;
    return microseconds;
  }
  // `Z`, `+02:00`, `-09:30`.
  std::chrono::minutes Offset() {
    if (Take('Z') || Take('z')) return {};
    const bool west = Take('-');
    if (!west) Expect('+');
    const int hours = Digits(2);
    Expect(':');
    const int minutes = Digits(2);
    if (hours > 23 || minutes > 59) ok_ = false;
    const std::chrono::minutes offset(hours * 60 + minutes);
    return west ? -offset : offset;
  }
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t sum = 0;
  std::size_t next_unit = 0;  // units go from large to small, each at most once
  while (!text.empty()) {
    const std::optional<std::int64_t> number = TakeNumber(text);
    if (!number) return std::nullopt;
    const std::optional<std::size_t> unit = TakeUnit(text);
    if (!unit || *unit < next_unit) return std::nullopt;
    next_unit = *unit + 1;
    const std::int64_t size = kUnits[*unit].microseconds;
    if (*number > (kDurationMax - sum) / size) return std::nullopt;
    sum += *number * size;
  }
  return Duration(sum);
}

std::string FormatDuration(Duration duration) {
  if (duration.count() == 0) return "0s";
  const bool negative = duration.count() < 0;
  const auto bits = static_cast<std::uint64_t>(duration.count());
  const std::uint64_t size = negative ? ~bits + 1 : bits;
  const std::string one = InOneUnit(size);
  const std::string all = InAllUnits(size);
  const std::string& shortest = one.size() <= all.size() ? one : all;
  return negative ? "-" + shortest : shortest;
}

std::optional<Time> ParseTimestamp(std::string_view text) {
  Cursor cursor(text);
  const int year = cursor.Digits(4);
  cursor.Expect('-');
  const auto month = static_cast<unsigned>(cursor.Digits(2));
  cursor.Expect('-');
  const auto day = static_cast<unsigned>(cursor.Digits(2));
  if (!cursor.Take('T') && !cursor.Take('t')) cursor.Expect(' ');
  const int hour = cursor.Digits(2);
  cursor.Expect(':');
  const int minute = cursor.Digits(2);
  cursor.Expect(':');
  const int second = cursor.Digits(2);
  const int microsecond = cursor.Fraction();
  const std::chrono::minutes offset = cursor.Offset();
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!cursor.AtEnd() || !date.ok()) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Duration(microsecond) - offset;
}

std::string FormatTimestamp(Time time) {
  constexpr Time kFirst = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
  constexpr Time kLast = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1);
  if (time < kFirst || time >= kLast) return std::to_string(Microseconds(time));
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::int64_t of_day = (time - days).count();
  const auto seconds = static_cast<int>(of_day / 1'000'000);
  const auto micros = static_cast<int>(of_day % 1'000'000);
  char text[64];
  int size = std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d",
                           static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                           static_cast<unsigned>(date.day()), seconds / 3600, seconds / 60 % 60,
                           seconds % 60);
  std::string result(text, static_cast<std::size_t>(size));
  if (micros != 0) {
    size = micros % 1000 == 0 ? std::snprintf(text, sizeof text, ".%03d", micros / 1000)
                              : std::snprintf(text, sizeof text, ".%06d", micros);
    result.append(text, static_cast<std::size_t>(size));
  }
  return result.append("Z");
}

}  // namespace runnel
