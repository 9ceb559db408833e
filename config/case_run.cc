// Running a case, comparing what came out, and writing it down as what is expected.
#include <algorithm>
#include <map>

#include "config/cases.h"
#include "config/json_text.h"
#include "pipelines/codecs/json.h"
#include "pipelines/plan/plan_run.h"

namespace runnel {
namespace {

// Ticks in a row without any output after which a test has ended.
constexpr int kQuietTicks = 100;
constexpr Duration kLongest = std::chrono::hours(24 * 400);

struct Figure {
  const char* name;
  std::uint64_t Ledger::*value;
};
constexpr Figure kFigures[] = {
    {"received", &Ledger::received},
    {"filtered", &Ledger::filtered},
    {"absorbed", &Ledger::absorbed},
    {"passed", &Ledger::passed},
    {"late", &Ledger::late},
    {"dropped", &Ledger::dropped},
    {"dead_lettered", &Ledger::dead_lettered},
    {"results", &Ledger::results},
};

std::string Describe(const CaseOutput& output) {
  if (!output.topic.empty()) return output.topic + " " + output.payload;
  return "dead letter " + output.reason + " of " + output.stage + ": " + output.payload;
}

std::string Describe(const CaseResult& result) {
  if (result.topic.empty()) return "dead letter " + result.dead_letter;
  return result.topic + " " + (result.json.IsMap() ? JsonText(result.json) : result.payload);
}

std::string Compare(const CaseResult& expected, const CaseOutput& output) {
  if (expected.topic.empty()) {
    return output.reason == expected.dead_letter ? "" : "another reason\n";
  }
  if (expected.json.IsMap()) return CompareJson(expected.json, output.payload);
  return output.payload == expected.payload ? "" : "another payload\n";
}

void Indent(const std::string& lines, std::string& out) {
  std::size_t begin = 0;
  while (begin < lines.size()) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    out += "      " + lines.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
}

// Results of one topic keep their order; topics come as they come.
std::string Difference(const Case& test, const std::vector<CaseOutput>& outputs) {
  std::vector<bool> used(outputs.size());
  std::string text;
  for (const CaseResult& expected : test.expect) {
    std::size_t found = 0;
    while (found < outputs.size() && (used[found] || outputs[found].topic != expected.topic)) {
      ++found;
    }
    if (found == outputs.size()) {
      text += "  - " + Describe(expected) + "\n      did not come\n";
      continue;
    }
    used[found] = true;
    const std::string difference = Compare(expected, outputs[found]);
    if (difference.empty()) continue;
    text += "  - " + Describe(expected) + "\n  + " + Describe(outputs[found]) + "\n";
    Indent(difference, text);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!used[i]) text += "  + " + Describe(outputs[i]) + "\n      was not expected\n";
  }
  return text;
}

std::string CompareLedger(const Case& test, const Ledger& ledger) {
  std::string text;
  if (!ledger.Balances()) text += "  the ledger does not balance\n";
  for (const auto& [name, expected] : test.ledger) {
    const auto* figure =
        std::find_if(std::begin(kFigures), std::end(kFigures),
                     [&, &wanted = name](const Figure& each) { return each.name == wanted; });
    if (figure == std::end(kFigures)) {
      text += "  the ledger has no figure `" + name + "`\n";
    } else if (ledger.*figure->value != static_cast<std::uint64_t>(expected)) {
      text += "  ledger " + name + ": expected " + std::to_string(expected) + ", got " +
              std::to_string(ledger.*figure->value) + "\n";
    }
  }
  return text;
}

// Until nothing is due, or only what never gives anything.
void RunOut(PlanRun& run, const Case& test, const std::vector<CaseOutput>& outputs) {
  if (test.until.has_value()) return run.AdvanceTo(std::max(run.now(), test.start + *test.until));
  const Time end = run.now() + kLongest;
  for (int quiet = 0; quiet < kQuietTicks; ++quiet) {
    const std::optional<Time> next = run.NextDeadline();
    if (!next.has_value() || *next > end) return;
    const std::size_t before = outputs.size();
    run.AdvanceTo(std::max(run.now(), *next));
    if (outputs.size() > before) quiet = -1;
  }
}

}  // namespace

CaseReport RunCase(const Plan& plan, const Case& test, const CaseOptions& options) {
  CaseReport report;
  const auto take = [&](const Output& output) {
    CaseOutput& out = report.outputs.emplace_back();
    out.payload = std::string(output.payload);
    out.reason = std::string(output.reason);
    out.stage = std::string(output.stage);
    if (output.kind == OutputKind::kResult) out.topic = std::string(output.topic);
  };
  Result<std::unique_ptr<PlanRun>> created = PlanRun::Create(plan, options.state_bytes, take);
  if (!created.ok()) {
    report.difference = "  " + created.error().message + "\n";
    return report;
  }
  PlanRun& run = *created.value();
  run.AdvanceTo(test.start);
  for (const CaseMessage& message : test.send) {
    run.AdvanceTo(test.start + message.at);
    if (options.reload) {
      if (Status reloaded = run.Reload(); !reloaded.ok()) {
        report.difference = "  " + reloaded.error().message + "\n";
        return report;
      }
    }
    run.Push(message.topic, message.payload);
  }
  RunOut(run, test, report.outputs);
  report.difference = Difference(test, report.outputs) +
                      (options.reload ? std::string() : CompareLedger(test, run.ledger()));
  report.passed = report.difference.empty();
  return report;
}

std::string FormatExpected(const std::vector<CaseOutput>& outputs, int indent) {
  const std::string blanks(static_cast<std::size_t>(indent), ' ');
  if (outputs.empty()) return " []\n";
  std::string text = "\n";
  for (const CaseOutput& output : outputs) {
    text += blanks + "- { ";
    if (output.topic.empty()) {
      text += "dead_letter: ";
      AppendJsonString(output.reason, text);
    } else {
      text += "topic: ";
      AppendJsonString(output.topic, text);
      if (output.payload.starts_with('{') && CompareJson(Node(), output.payload).empty()) {
        text += ", json: " + output.payload;
      } else {
        text += ", payload: ";
        AppendJsonString(output.payload, text);
      }
    }
    text += " }\n";
  }
  return text;
}

std::optional<std::string> UpdateExpected(std::string_view text,
                                          const std::vector<std::pair<Case, CaseReport>>& cases) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  std::map<std::size_t, const std::pair<Case, CaseReport>*> by_line;
  for (const auto& each : cases) {
    if (!each.second.passed) by_line[static_cast<std::size_t>(each.first.expect_key.line)] = &each;
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size();) {
    const auto found = by_line.find(i + 1);
    if (found == by_line.end()) {
      out += lines[i++] + "\n";
      continue;
    }
    const auto column = static_cast<std::size_t>(found->second->first.expect_key.column) - 1;
    if (lines[i].compare(0, column, std::string(column, ' ')) != 0 ||
        lines[i].compare(column, 7, "expect:") != 0) {
      return std::nullopt;
    }
    out += lines[i].substr(0, column + 7) +
           FormatExpected(found->second->second.outputs, static_cast<int>(column) + 2);
    // The old block: all that is indented deeper, and a list in the same column.
    for (++i; i < lines.size(); ++i) {
      const std::size_t first = lines[i].find_first_not_of(' ');
      if (first == std::string::npos || first > column) continue;
      if (first == column && lines[i].compare(first, 2, "- ") == 0) continue;
      break;
    }
  }
  return out;
}

}  // namespace runnel
