#include "config/time_zone.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "config/file.h"
#include "config/posix_zone.h"
#include "pipelines/base/zone.h"

namespace runnel {
namespace {

constexpr std::size_t kFileMax = 64 << 10;
constexpr const char* kZoneHint =
    "a name of the zone database, such as Europe/Berlin, or UTC or +02:00";
constexpr int kFirstYear = 1999;
constexpr int kLastYear = 2050;              // of what a rule says
constexpr std::int64_t kFrom = 946'684'800;  // 2000-01-01T00:00Z; older times have its offset

// Numbers of a TZif file, the most significant byte first.
class Reader final {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::int64_t Take(int bytes) {
    if (rest_.size() < static_cast<std::size_t>(bytes)) {
      ok_ = false;
      return 0;
    }
    std::uint64_t number = static_cast<unsigned char>(rest_[0]) >= 0x80 ? ~std::uint64_t{0} : 0;
    for (int i = 0; i < bytes; ++i) {
      number = number << 8 | static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]);
    }
    rest_.remove_prefix(static_cast<std::size_t>(bytes));
    return static_cast<std::int64_t>(number);
  }
  std::string_view Skip(std::size_t bytes) {
    if (rest_.size() < bytes) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  bool ok() const { return ok_; }
  std::string_view Rest() const { return ok_ ? rest_ : std::string_view(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Counts {
  std::size_t utc, standard, leaps, changes, types, characters;
};

bool TakeHead(Reader& reader, Counts& counts, char& version) {
  const std::string_view head = reader.Skip(20);
  if (!reader.ok() || !head.starts_with("TZif")) return false;
  version = head[4];
  std::size_t* const all[] = {&counts.utc,     &counts.standard, &counts.leaps,
                              &counts.changes, &counts.types,    &counts.characters};
  for (std::size_t* count : all) {
    const std::int64_t number = reader.Take(4);
    if (number < 0 || number > static_cast<std::int64_t>(kFileMax)) return false;
    *count = static_cast<std::size_t>(number);
  }
  return reader.ok() && counts.types > 0;
}

// What the rule behind the second block says of the years behind its last change.
void AddByRule(std::string_view footer, std::vector<std::pair<std::int64_t, std::int64_t>>& all) {
  if (!footer.starts_with('\n') || !footer.ends_with('\n') || footer.size() < 2) return;
  const std::int64_t last = all.empty() ? INT64_MIN : all.back().first;
  const auto rule = PosixZoneChanges(footer.substr(1, footer.size() - 2), kFirstYear, kLastYear);
  if (!rule.has_value()) return;
  for (const auto& change : *rule) {
    if (change.first > last) all.push_back(change);
  }
}

// `OFFSET TIME:OFFSET …` from the year 2000 on.
std::string Written(std::int64_t first,
                    const std::vector<std::pair<std::int64_t, std::int64_t>>& all) {
  std::string changes;
  std::int64_t last = first;
  for (const auto& [time, offset] : all) {
    if (time <= kFrom) {
      first = offset;
    } else if (offset != last) {
      changes += " " + std::to_string(time) + ":" + std::to_string(offset);
    }
    last = offset;
  }
  return std::to_string(first) + changes;
}

bool IsName(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
         std::string_view::npos;
}

// The rules of a zone in the database; nothing where it has none of that name.
std::optional<std::string> RulesOf(const std::string& name, const std::string& folder) {
  if (!IsName(name)) return std::nullopt;
  const Result<std::string> file = ReadWholeFile(folder + "/" + name, kFileMax);
  std::optional<std::string> rules = file.ok() ? ParseTzif(file.value()) : std::nullopt;
  if (rules.has_value() && !Zone::Parse(name + " " + *rules).has_value()) return std::nullopt;
  return rules;
}

// Calls `visit` with each text in quotes that stands alone behind `.getHours(` and the like.
template <typename Visit>
void ForEachZone(std::string_view expression, Visit visit) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (std::size_t at = 0; (at = expression.find("get", at)) != std::string_view::npos;) {
    at = expression.find_first_not_of(kLetters, at);
    if (at == std::string_view::npos || expression[at] != '(') continue;
    const std::size_t quote = expression.find_first_not_of(" \n", at + 1);
    if (quote == std::string_view::npos) return;
    if (expression[quote] != '"' && expression[quote] != '\'') continue;
    const std::size_t end = expression.find(expression[quote], quote + 1);
    if (end == std::string_view::npos) return;
    visit(std::string(expression.substr(quote + 1, end - quote - 1)));
    at = end;
  }
}

void FindZones(const Node& node, std::set<std::string>& names) {
  if (node.IsScalar()) ForEachZone(node.text, [&](std::string name) { names.insert(name); });
  for (const Node& item : node.items) FindZones(item, names);
  for (const Node::Member& member : node.members) FindZones(member.value, names);
}

}  // namespace

void ResolveExpressionZones(Node& root, const std::string& folder) {
  const Node* steps = root.Find("steps");
  if (steps == nullptr) return;
  std::set<std::string> names;
  FindZones(*steps, names);
  const auto place = [&root](std::string_view key) {
    return std::find_if(root.members.begin(), root.members.end(),
                        [key](const Node::Member& member) { return member.key == key; });
  };
  for (const std::string& name : names) {
    const std::optional<std::string> rules = RulesOf(name, folder);
    if (!rules.has_value()) continue;
    if (place("zones") == root.members.end()) {
      Node zones;
      zones.kind = Node::Kind::kMap;
      zones.position = place("steps")->position;
      root.members.push_back({"zones", zones.position, std::move(zones)});
    }
    Node& zones = place("zones")->value;
    if (!zones.IsMap() || zones.Find(name) != nullptr) continue;
    zones.members.push_back({name, zones.position, Node::Scalar(*rules, true, zones.position)});
  }
}

ZoneTable ZonesOf(std::string_view expression, const std::string& folder) {
  ZoneTable zones;
  ForEachZone(expression, [&](const std::string& name) {
    const std::optional<std::string> rules = RulesOf(name, folder);
    if (rules.has_value()) zones.emplace(name, *Zone::Parse(name + " " + *rules));
  });
  return zones;
}

std::optional<std::string> ParseTzif(std::string_view bytes) {
  Reader reader(bytes);
  Counts counts{};
  char version = 0;
  if (!TakeHead(reader, counts, version)) return std::nullopt;
  int width = 4;
  if (version >= '2') {
    // The second block has the same with times of 8 bytes.
    reader.Skip(counts.changes * 5 + counts.types * 6 + counts.characters + counts.leaps * 8 +
                counts.standard + counts.utc);
    if (!TakeHead(reader, counts, version)) return std::nullopt;
    width = 8;
  }
  std::vector<std::int64_t> times(counts.changes);
  std::vector<std::size_t> kinds(counts.changes);
  std::vector<std::int64_t> offsets(counts.types);
  for (std::int64_t& time : times) time = reader.Take(width);
  for (std::size_t& kind : kinds) kind = static_cast<std::size_t>(reader.Take(1) & 0xff);
  for (std::int64_t& offset : offsets) {
    offset = reader.Take(4);
    reader.Skip(2);
  }
  if (!reader.ok()) return std::nullopt;
  std::vector<std::pair<std::int64_t, std::int64_t>> all;  // changes and their offsets
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (kinds[i] >= offsets.size()) return std::nullopt;
    all.emplace_back(times[i], offsets[kinds[i]]);
  }
  if (width == 8) {
    reader.Skip(counts.characters + counts.leaps * 12 + counts.standard + counts.utc);
    AddByRule(reader.Rest(), all);
  }
  return Written(offsets[0], all);
}

bool ResolveTimeZones(Node& root, const std::string& folder, Diagnostics& diagnostics) {
  bool ok = true;
  for (Node& item : root.items) ok = ResolveTimeZones(item, folder, diagnostics) && ok;
  for (Node::Member& member : root.members) {
    Node& value = member.value;
    if (member.key != "timezone" || !value.IsScalar()) {
      ok = ResolveTimeZones(value, folder, diagnostics) && ok;
      continue;
    }
    if (Zone::Parse(value.text).has_value()) continue;  // UTC, an offset
    const std::optional<std::string> rules = RulesOf(value.text, folder);
    if (!rules.has_value()) {
      diagnostics.Error(value.position, "unknown time zone `" + value.text + "`", kZoneHint);
      ok = false;
      continue;
    }
    value.text += " " + *rules;
  }
  return ok;
}

}  // namespace runnel
