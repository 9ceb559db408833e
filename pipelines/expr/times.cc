// Functions of timestamps and durations (CEL, "Timestamps and durations").
//
// Time zones are UTC, fixed offsets, and the names whose rules the plan has.
#include "pipelines/expr/times.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/operations.h"
#include "pipelines/expr/program.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr const char* kNotATime = "not_a_timestamp";
constexpr const char* kNotADuration = "not_a_duration";
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDaySeconds = 86'400;

// Reads what a time consists of, from the front of a text.
class Reader final {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool AtEnd() const { return rest_.empty(); }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  // Exactly so many digits, or -1.
  int Digits(std::size_t count) {
    if (rest_.size() < count) return -1;
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return -1;
      number = number * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return number;
  }
  // A whole number of at most 18 digits; nothing where there is none.
  std::optional<std::int64_t> Whole() {
    std::size_t digits = rest_.find_first_not_of("0123456789");
    if (digits == std::string_view::npos) digits = rest_.size();
    if (digits == 0 || digits > 18) return std::nullopt;
    std::int64_t number = 0;
    std::from_chars(rest_.data(), rest_.data() + digits, number);
    rest_.remove_prefix(digits);
    return number;
  }
  // Digits behind a point as billionths; more than nine are cut off.
  std::int64_t Billionths() {
    std::int64_t number = 0;
    std::int64_t unit = kSecond / 10;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      number += (rest_.front() - '0') * unit;
      unit /= 10;
      rest_.remove_prefix(1);
    }
    return number;
  }
  std::string_view Rest() const { return rest_; }
  bool IsDigit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }

 private:
  std::string_view rest_;
};

// `Z`, `UTC` or `+02:00` as seconds; nothing for other text.
std::optional<std::int64_t> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "UTC" || text.empty()) return 0;
  Reader reader(text);
  const bool minus = reader.Take('-');
  if (!minus) reader.Take('+');
  const int hours = reader.Digits(2);
  if (hours < 0 || hours > 23 || !reader.Take(':')) return std::nullopt;
  const int minutes = reader.Digits(2);
  if (minutes < 0 || minutes > 59 || !reader.AtEnd()) return std::nullopt;
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return minus ? -seconds : seconds;
}

// Appends `number` with at least `digits` digits.
char* WriteDigits(std::int64_t number, int digits, char* to) {
  for (int i = digits - 1; i >= 0; --i, number /= 10) to[i] = static_cast<char>('0' + number % 10);
  return to + digits;
}
// `.25`, or nothing for 0.
char* WriteFraction(std::int64_t nanoseconds, char* to) {
  if (nanoseconds == 0) return to;
  *to++ = '.';
  char* end = WriteDigits(nanoseconds, 9, to);
  while (end[-1] == '0') --end;
  return end;
}

std::chrono::year_month_day DateOf(std::int64_t days) {
  return std::chrono::year_month_day(std::chrono::sys_days(std::chrono::days(days)));
}
std::int64_t FloorDays(std::int64_t seconds) {
  return seconds / kDaySeconds - (seconds % kDaySeconds < 0 ? 1 : 0);
}

enum class Part {
  kYear,
  kMonth,
  kDate,
  kDayOfMonth,
  kDayOfWeek,
  kDayOfYear,
  kHours,
  kMinutes,
  kSeconds,
  kMilliseconds,
};

std::int64_t DatePart(Part part, std::int64_t days) {
  const std::chrono::year_month_day date = DateOf(days);
  switch (part) {
    case Part::kYear:
      return int{date.year()};
    case Part::kMonth:
      return static_cast<std::int64_t>(unsigned{date.month()}) - 1;
    case Part::kDate:
      return unsigned{date.day()};
    case Part::kDayOfMonth:
      return static_cast<std::int64_t>(unsigned{date.day()}) - 1;
    case Part::kDayOfWeek:
      return ((days + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
    default: {
      const std::chrono::sys_days first(date.year() / std::chrono::January / 1);
      return days - first.time_since_epoch().count();
    }
  }
}

// Of a duration: the whole of it in that unit; milliseconds are those of the second.
std::int64_t DurationPart(Part part, const Value& value) {
  switch (part) {
    case Part::kHours:
      return value.Seconds() / 3600;
    case Part::kMinutes:
      return value.Seconds() / 60;
    case Part::kSeconds:
      return value.Seconds();
    default:
      return value.Nanoseconds() / 1'000'000;
  }
}

template <Part kPart>
Value Get(const Program& program, Arguments a) {
  if (a[0].type() == Type::kDuration) {
    return a.size() == 1 ? Value::Int(DurationPart(kPart, a[0])) : Value::Error(kNoOverload);
  }
  std::optional<std::int64_t> offset = 0;
  if (a.size() == 2) offset = OffsetOf(a[1].AsString(), program.zones, a[0].Seconds());
  if (!offset.has_value()) return Value::Error("unknown_time_zone");
  const std::int64_t seconds = a[0].Seconds() + *offset;
  const std::int64_t days = FloorDays(seconds);
  const std::int64_t of_day = seconds - days * kDaySeconds;
  switch (kPart) {
    case Part::kHours:
      return Value::Int(of_day / 3600);
    case Part::kMinutes:
      return Value::Int(of_day / 60 % 60);
    case Part::kSeconds:
      return Value::Int(of_day % 60);
    case Part::kMilliseconds:
      return Value::Int(a[0].Nanoseconds() / 1'000'000);
    default:
      return Value::Int(DatePart(kPart, days));
  }
}

Value ToTimestamp(Arguments a, Arena&) {
  if (a[0].type() == Type::kString) return ParseRfc3339(a[0].AsString());
  if (a[0].type() != Type::kInt) return a[0];
  return CheckedTimestamp(static_cast<Int128>(a[0].AsInt()) * kSecond);
}
Value ToDuration(Arguments a, Arena&) {
  if (a[0].type() == Type::kString) return ParseDurationText(a[0].AsString());
  if (a[0].type() != Type::kInt) return a[0];
  return CheckedDuration(static_cast<Int128>(a[0].AsInt()) * kSecond);
}

using enum Function::Style;
constexpr std::array<Types, 3> kPoint = {Types{Type::kTimestamp}, kTextType};
constexpr std::array<Types, 3> kTime = {Types{Type::kTimestamp, Type::kDuration}, kTextType};

constexpr Function Getter(std::string_view name, const std::array<Types, 3>& of,
                          Value (*get)(const Program&, Arguments), std::string_view signature,
                          std::string_view description) {
  return {name, kReceiver, 1, 2, of, Type::kInt, nullptr, signature, description, nullptr, get};
}

constexpr Function kTable[] = {
    {"duration",
     kGlobal,
     1,
     1,
     {Types{Type::kString, Type::kInt, Type::kDuration}},
     Type::kDuration,
     ToDuration,
     "duration(value)",
     "The length of time that a text such as 1h30m spells, or so many seconds."},
    Getter("getDate", kPoint, Get<Part::kDate>, "time.getDate(zone)",
           "The day of the month, from 1; in UTC, or in a zone such as Europe/Berlin or +02:00."),
    Getter("getDayOfMonth", kPoint, Get<Part::kDayOfMonth>, "time.getDayOfMonth(zone)",
           "The day of the month, from 0."),
    Getter("getDayOfWeek", kPoint, Get<Part::kDayOfWeek>, "time.getDayOfWeek(zone)",
           "The day of the week, from 0 for Sunday."),
    Getter("getDayOfYear", kPoint, Get<Part::kDayOfYear>, "time.getDayOfYear(zone)",
           "The day of the year, from 0."),
    Getter("getFullYear", kPoint, Get<Part::kYear>, "time.getFullYear(zone)", "The year."),
    Getter("getHours", kTime, Get<Part::kHours>, "time.getHours(zone)",
           "The hour of the day, or the whole hours of a duration."),
    Getter("getMilliseconds", kTime, Get<Part::kMilliseconds>, "time.getMilliseconds(zone)",
           "The milliseconds of the second."),
    Getter("getMinutes", kTime, Get<Part::kMinutes>, "time.getMinutes(zone)",
           "The minute of the hour, or the whole minutes of a duration."),
    Getter("getMonth", kPoint, Get<Part::kMonth>, "time.getMonth(zone)", "The month, from 0."),
    Getter("getSeconds", kTime, Get<Part::kSeconds>, "time.getSeconds(zone)",
           "The second of the minute, or the whole seconds of a duration."),
    {"timestamp",
     kGlobal,
     1,
     1,
     {Types{Type::kString, Type::kInt, Type::kTimestamp}},
     Type::kTimestamp,
     ToTimestamp,
     "timestamp(value)",
     "The point in time that an RFC 3339 text spells, or so many seconds since 1970."},
};

}  // namespace

std::span<const Function> TimeFunctions() { return kTable; }

bool TakesZone(const Function& function) { return function.name.starts_with("get"); }

std::optional<std::int64_t> OffsetOf(std::string_view zone, const ZoneTable* zones,
                                     std::int64_t seconds) {
  if (zones != nullptr) {
    const auto found = zones->find(zone);
    if (found != zones->end()) return found->second.OffsetAt(seconds * 1'000'000) / 1'000'000;
  }
  return ParseOffset(zone);
}

char* WriteTimestamp(const Value& value, char* to) {
  const std::int64_t days = FloorDays(value.Seconds());
  const std::int64_t of_day = value.Seconds() - days * kDaySeconds;
  const std::chrono::year_month_day date = DateOf(days);
  to = WriteDigits(int{date.year()}, 4, to);
  *to++ = '-';
  to = WriteDigits(unsigned{date.month()}, 2, to);
  *to++ = '-';
  to = WriteDigits(unsigned{date.day()}, 2, to);
  *to++ = 'T';
  to = WriteDigits(of_day / 3600, 2, to);
  *to++ = ':';
  to = WriteDigits(of_day / 60 % 60, 2, to);
  *to++ = ':';
  to = WriteDigits(of_day % 60, 2, to);
  to = WriteFraction(value.Nanoseconds(), to);
  *to++ = 'Z';
  return to;
}

char* WriteDuration(const Value& value, char* to) {
  const bool negative = value.Seconds() < 0 || value.Nanoseconds() < 0;
  if (negative) *to++ = '-';
  const std::int64_t sign = negative ? -1 : 1;
  to = std::to_chars(to, to + kTimeTextMax / 2, sign * value.Seconds()).ptr;
  to = WriteFraction(sign * value.Nanoseconds(), to);
  *to++ = 's';
  return to;
}

Value ParseRfc3339(std::string_view text) {
  Reader reader(text);
  const int year = reader.Digits(4);
  const bool dash1 = reader.Take('-');
  const int month = reader.Digits(2);
  const bool dash2 = reader.Take('-');
  const int day = reader.Digits(2);
  const bool between = reader.Take('T') || reader.Take('t') || reader.Take(' ');
  const int hour = reader.Digits(2);
  const bool colon1 = reader.Take(':');
  const int minute = reader.Digits(2);
  const bool colon2 = reader.Take(':');
  const int second = reader.Digits(2);
  if (!dash1 || !dash2 || !between || !colon1 || !colon2) return Value::Error(kNotATime);
  if (year < 1 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 59) {
    return Value::Error(kNotATime);
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return Value::Error(kNotATime);
  std::int64_t nanoseconds = 0;
  if (reader.Take('.')) {
    if (!reader.IsDigit()) return Value::Error(kNotATime);
    nanoseconds = reader.Billionths();
  }
  const bool utc = reader.Take('Z') || reader.Take('z');
  if (utc != reader.AtEnd()) return Value::Error(kNotATime);
  const bool with_sign = reader.Rest().starts_with('+') || reader.Rest().starts_with('-');
  if (!utc && !with_sign) return Value::Error(kNotATime);
  const std::optional<std::int64_t> offset = ParseOffset(reader.Rest());
  if (!offset.has_value()) return Value::Error(kNotATime);
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * kDaySeconds + hour * 3600 + minute * 60 + second - *offset;
  return CheckedTimestamp(static_cast<Int128>(seconds) * kSecond + nanoseconds);
}

Value ParseDurationText(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
  };
  // Longer names first where one begins with another.
  static constexpr Unit kUnits[] = {{"ms", 1'000'000}, {"us", 1'000},         {"µs", 1'000},
                                    {"ns", 1},         {"h", 3600 * kSecond}, {"m", 60 * kSecond},
                                    {"s", kSecond}};
  Reader reader(text);
  const bool negative = reader.Take('-');
  if (!negative) reader.Take('+');
  if (reader.Take("0") && reader.AtEnd()) return Value::Duration(0, 0);
  reader = Reader(text.substr(negative || text.starts_with('+') ? 1 : 0));
  if (reader.AtEnd()) return Value::Error(kNotADuration);
  Int128 total = 0;
  while (!reader.AtEnd()) {
    const bool whole_there = reader.IsDigit();
    const std::optional<std::int64_t> whole = whole_there ? reader.Whole() : 0;
    std::int64_t billionths = 0;
    if (reader.Take('.')) {
      if (!whole_there && !reader.IsDigit()) return Value::Error(kNotADuration);
      billionths = reader.Billionths();
    } else if (!whole_there) {
      return Value::Error(kNotADuration);
    }
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&reader](const Unit& each) { return reader.Take(each.name); });
    if (!whole.has_value() || unit == std::end(kUnits)) return Value::Error(kNotADuration);
    total += static_cast<Int128>(*whole) * unit->nanoseconds;
    total += static_cast<Int128>(billionths) * unit->nanoseconds / kSecond;
    if (total > static_cast<Int128>(INT64_MAX) * kSecond) return Value::Error("range_error");
  }
  return CheckedDuration(negative ? -total : total);
}

}  // namespace runnel::expr
