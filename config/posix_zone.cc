#include "config/posix_zone.h"

#include <algorithm>
#include <chrono>

namespace runnel {
namespace {

constexpr std::int64_t kHour = 3'600;
constexpr std::int64_t kDay = 24 * kHour;

// `M3.5.0/2`, `J60/2` or `59/2`.
struct Rule {
  char kind = 'M';  // M: month, week and day of the week; J: day without a leap day; 0: with it
  int month = 0;
  int week = 0;
  int day = 0;
  std::int64_t time = 2 * kHour;  // of that day
};

class Reader final {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool AtEnd() const { return rest_.empty(); }
  bool ok() const { return ok_; }
  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  int Number(int least, int most) {
    int number = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && digits < 3 && rest_[digits] >= '0' && rest_[digits] <= '9';
         ++digits) {
      number = number * 10 + (rest_[digits] - '0');
    }
    rest_.remove_prefix(digits);
    ok_ = ok_ && digits > 0 && number >= least && number <= most;
    return number;
  }
  // `CET` or `<+0330>`.
  void Name() {
    const bool quoted = Take('<');
    std::size_t size = 0;
    while (size < rest_.size() && (quoted ? rest_[size] != '>' : IsLetter(rest_[size]))) ++size;
    rest_.remove_prefix(size);
    ok_ = ok_ && size >= 3 && (!quoted || Take('>'));
  }
  // `-1`, `3:30`, `+167:00:00` as seconds.
  std::int64_t Time(int hours_max) {
    const bool minus = Take('-');
    if (!minus) Take('+');
    std::int64_t seconds = Number(0, hours_max) * kHour;
    if (Take(':')) seconds += Number(0, 59) * 60;
    if (Take(':')) seconds += Number(0, 59);
    return minus ? -seconds : seconds;
  }
  Rule OneRule() {
    Rule rule;
    ok_ = ok_ && Take(',');
    if (Take('M')) {
      rule.month = Number(1, 12);
      ok_ = ok_ && Take('.');
      rule.week = Number(1, 5);
      ok_ = ok_ && Take('.');
      rule.day = Number(0, 6);
    } else {
      rule.kind = Take('J') ? 'J' : '0';
      rule.day = Number(rule.kind == 'J' ? 1 : 0, 365);
    }
    if (Take('/')) rule.time = Time(167);
    return rule;
  }
  bool HasRules() const { return !rest_.empty() && rest_[0] == ','; }

 private:
  static bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

  std::string_view rest_;
  bool ok_ = true;
};

// Seconds since 1970 of a rule in a year, by the clock on the wall.
std::int64_t LocalTime(const Rule& rule, int year) {
  using namespace std::chrono;
  const std::chrono::year in(year);
  sys_days day = sys_days(in / January / 1);
  if (rule.kind == 'M') {
    const std::chrono::month month(static_cast<unsigned>(rule.month));
    const weekday wanted(static_cast<unsigned>(rule.day));
    day = rule.week == 5 ? sys_days(in / month / wanted[last])
                         : sys_days(in / month / wanted[static_cast<unsigned>(rule.week)]);
  } else {
    const bool behind = rule.kind == 'J' && in.is_leap() && rule.day >= 60;
    day += days(rule.day - (rule.kind == 'J' ? 1 : 0) + (behind ? 1 : 0));
  }
  return day.time_since_epoch().count() * kDay + rule.time;
}

}  // namespace

std::optional<std::vector<std::pair<std::int64_t, std::int64_t>>> PosixZoneChanges(
    std::string_view rule, int first, int last) {
  std::vector<std::pair<std::int64_t, std::int64_t>> changes;
  Reader reader(rule);
  reader.Name();
  const std::int64_t standard = -reader.Time(24);  // west of Greenwich is positive there
  if (reader.AtEnd()) return reader.ok() ? std::optional(changes) : std::nullopt;
  reader.Name();
  std::int64_t summer = standard + kHour;
  if (!reader.AtEnd() && !reader.HasRules()) summer = -reader.Time(24);
  const Rule begin = reader.OneRule();
  const Rule end = reader.OneRule();
  if (!reader.ok() || !reader.AtEnd()) return std::nullopt;
  for (int year = first; year <= last; ++year) {
    changes.emplace_back(LocalTime(begin, year) - standard, summer);
    changes.emplace_back(LocalTime(end, year) - summer, standard);
  }
  std::sort(changes.begin(), changes.end());
  return changes;
}

}  // namespace runnel
