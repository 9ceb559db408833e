#include "pipelines/spec/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "pipelines/base/utf8.h"

namespace runnel {
namespace {

constexpr std::size_t kPrintedMax = 50;
constexpr std::size_t kMessageMax = 600;   // bytes; user text may be of any length
constexpr std::size_t kLineShown = 160;    // characters of a source line
constexpr std::size_t kBeforeCaret = 100;  // of these at most so many before the caret
constexpr std::size_t kNumberWidth = 5;

// The characters of `text`, each safe to print on a terminal.
std::vector<std::string_view> Printable(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    const std::size_t size = Utf8CharacterSize(text);
    const auto lead = static_cast<unsigned char>(text.front());
    const bool control = size == 0 || lead < 0x20 || lead == 0x7f ||
                         (size == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (text.front() == '\t') {
      characters.push_back(" ");
    } else {
      characters.push_back(control ? "?" : text.substr(0, size));
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return characters;
}

std::string Cleaned(std::string_view text) {
  std::string cleaned;
  for (const std::string_view character : Printable(text.substr(0, kMessageMax))) {
    cleaned.append(character);
  }
  if (text.size() > kMessageMax) cleaned.append("...");
  return cleaned;
}

// Line `number` of `text`, without its end; false where the text has none.
bool FindLine(std::string_view text, int number, std::string_view& line) {
  for (int i = 1; i < number; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

void AppendSourceLine(std::string_view line, const Position& position, std::string& out) {
  const std::vector<std::string_view> characters = Printable(line);
  const std::size_t caret = position.column > 0 ? static_cast<std::size_t>(position.column) - 1 : 0;
  const bool fits = characters.size() <= kLineShown;
  const std::size_t start = fits || caret <= kBeforeCaret ? 0 : caret - kBeforeCaret;
  const std::size_t end = std::min(characters.size(), start + kLineShown);

  std::string number = std::to_string(position.line);
  number.insert(0, kNumberWidth - std::min(kNumberWidth, number.size()), ' ');
  out.append(number).append(" | ");
  if (start > 0) out.append("...");
  for (std::size_t i = start; i < end; ++i) out.append(characters[i]);
  if (end < characters.size()) out.append("...");
  out.append("\n");
  if (position.column == 0) return;
  out.append(number.size(), ' ').append(" | ").append(start > 0 ? 3 : 0, ' ');
  out.append(std::min(caret, characters.size()) - std::min(start, characters.size()), ' ');
  out.append("^\n");
}

auto Order(const Diagnostic& diagnostic) {
  return std::tie(diagnostic.position.file, diagnostic.position.line, diagnostic.position.column,
                  diagnostic.severity, diagnostic.message, diagnostic.hint);
}

// Lower case without `-`, `_`, `.` and blanks.
std::string Folded(std::string_view word) {
  std::string folded;
  for (const char c : word) {
    if (c == '-' || c == '_' || c == '.' || c == ' ') continue;
    folded.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return folded;
}

struct Synonym {
  std::string_view theirs;  // folded
  std::string_view ours;
};

// What others call the same.
constexpr Synonym kSynonyms[] = {
    // Aggregates.
    {"avg", "mean"},
    {"average", "mean"},
    {"std", "stddev"},
    {"stdev", "stddev"},
    {"variance", "var"},
    {"percentile", "quantile"},
    {"minimum", "min"},
    {"maximum", "max"},
    {"total", "sum"},
    {"cnt", "count"},
    {"countdistinct", "distinct"},
    {"distinctcount", "distinct"},
    {"nunique", "distinct"},
    {"cardinality", "approx_distinct"},
    {"firstvalue", "first"},
    {"lastvalue", "last"},
    {"latest", "last"},
    {"spread", "range"},
    // Operators.
    {"where", "filter"},
    {"map", "set"},
    {"mutate", "set"},
    {"compute", "set"},
    {"calculate", "set"},
    {"eval", "set"},
    {"assign", "set"},
    {"project", "select"},
    {"keep", "select"},
    {"remove", "drop"},
    {"delete", "drop"},
    {"aggregate", "window"},
    {"groupby", "window"},
    {"lookup", "enrich"},
    {"join", "enrich"},
    {"deduplicate", "dedupe"},
    {"distinct", "dedupe"},
    {"unique", "dedupe"},
    {"explode", "unnest"},
    {"flatten", "unnest"},
    {"split", "unnest"},
    {"branch", "switch"},
    {"route", "switch"},
    {"router", "switch"},
    {"ratelimit", "throttle"},
    {"debounce", "throttle"},
    {"heartbeat", "absent"},
    {"deadman", "absent"},
    {"alarm", "alert"},
    {"threshold", "alert"},
    {"diff", "delta"},
    {"onchange", "changed"},
    // Options of windows and of other steps with keys.
    {"groupby", "key"},
    {"group", "key"},
    {"by", "key"},
    {"partitionby", "key"},
    {"keys", "key"},
    {"size", "tumbling"},
    {"length", "tumbling"},
    {"interval", "tumbling"},
    {"period", "tumbling"},
    {"slide", "every"},
    {"hop", "every"},
    {"advance", "every"},
    {"gap", "session"},
    {"grace", "lateness"},
    {"graceperiod", "lateness"},
    {"allowedlateness", "lateness"},
    {"watermark", "lateness"},
    {"aggregates", "aggregate"},
    {"aggregations", "aggregate"},
    {"functions", "aggregate"},
    {"fields", "aggregate"},
    // Of a pipeline.
    {"input", "source"},
    {"inputs", "source"},
    {"from", "source"},
    {"output", "sink"},
    {"outputs", "sink"},
    {"to", "sink"},
    {"pipeline", "steps"},
    {"processors", "steps"},
    {"transforms", "steps"},
    {"operators", "steps"},
    {"time", "timestamp"},
    {"format", "decode"},
    {"codec", "decode"},
    {"topics", "topic"},
    {"server", "broker"},
    // Of a broker.
    {"host", "url"},
    {"uri", "url"},
    {"address", "url"},
    {"server", "url"},
    {"servers", "url"},
    {"endpoint", "url"},
    {"user", "username"},
    {"pass", "password"},
    {"cafile", "ca"},
    {"rootca", "ca"},
    {"certfile", "cert"},
    {"keyfile", "key"},
    {"mqttversion", "version"},
    {"protocol", "version"},
    {"cleansession", "session"},
    {"cleanstart", "session"},
};

// The candidate that others call `folded`; empty where there is none.
std::string_view SameByAnotherName(std::string_view folded,
                                   const std::vector<std::string_view>& candidates) {
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.theirs != folded) continue;
    const auto found = std::find(candidates.begin(), candidates.end(), synonym.ours);
    if (found != candidates.end()) return *found;
  }
  return {};
}

// Optimal string alignment: Damerau-Levenshtein in which no part is edited twice.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before2(b.size() + 1);
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before2[j - 2] + 1);
    }
    std::swap(before2, before);
    std::swap(before, row);
  }
  return before[b.size()];
}

}  // namespace

void Diagnostics::Error(Position position, std::string message, std::string hint) {
  diagnostics_.push_back(
      {Severity::kError, std::move(position), std::move(message), std::move(hint)});
  ++errors_;
}

void Diagnostics::Warning(Position position, std::string message, std::string hint) {
  diagnostics_.push_back(
      {Severity::kWarning, std::move(position), std::move(message), std::move(hint)});
}

void Diagnostics::AddSource(std::string_view file, std::string_view text) {
  sources_.insert_or_assign(std::string(file), std::string(text));
}

std::vector<Diagnostic> Diagnostics::All() const {
  std::vector<Diagnostic> all = diagnostics_;
  std::stable_sort(all.begin(), all.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return Order(a) < Order(b); });
  const auto same = [](const Diagnostic& a, const Diagnostic& b) { return Order(a) == Order(b); };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

std::string Diagnostics::Format() const {
  const std::vector<Diagnostic> all = All();
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kPrintedMax); ++i) {
    const Diagnostic& diagnostic = all[i];
    const Position& position = diagnostic.position;
    if (!position.file.empty()) {
      out.append(Cleaned(position.file)).append(":");
      if (position.line > 0) out.append(std::to_string(position.line)).append(":");
      if (position.line > 0 && position.column > 0) {
        out.append(std::to_string(position.column)).append(":");
      }
      out.append(" ");
    }
    out.append(diagnostic.severity == Severity::kError ? "error: " : "warning: ");
    out.append(Cleaned(diagnostic.message)).append("\n");
    const auto source = sources_.find(position.file);
    std::string_view line;
    if (position.line > 0 && source != sources_.end() &&
        FindLine(source->second, position.line, line)) {
      AppendSourceLine(line, position, out);
    }
    if (!diagnostic.hint.empty()) out.append("  hint: ").append(Cleaned(diagnostic.hint)) += '\n';
  }
  if (all.size() > kPrintedMax) {
    out.append("... and ").append(std::to_string(all.size() - kPrintedMax)).append(" more\n");
  }
  return out;
}

std::string_view DidYouMean(std::string_view word,
                            const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kWordMax = 64;  // longer ones are no misspelt names
  if (word.empty() || word.size() > kWordMax) return {};
  const std::string folded = Folded(word);
  for (const std::string_view candidate : candidates) {
    if (!folded.empty() && Folded(candidate) == folded) return candidate;
  }
  if (const auto same = SameByAnotherName(folded, candidates); !same.empty()) return same;
  std::string_view best;
  std::size_t best_distance = SIZE_MAX;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kWordMax) continue;
    const std::size_t longer = std::max(word.size(), candidate.size());
    const std::size_t allowed = std::max<std::size_t>(1, longer / 3);
    const std::size_t distance = Distance(word, candidate);
    if (distance <= allowed && distance < best_distance && distance < longer) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace runnel
