#include "daemon/batch/report.h"

#include <cstdio>

#include "daemon/batch/progress.h"

namespace runnel {

std::string ReportText(const BatchCounts& counts, double seconds, const Rejects& rejects) {
  std::string text = Grouped(counts.rows) + " rows in ";
  char rate[64];
  std::snprintf(rate, sizeof rate, "%.2f s (%.1f M rows/s)", seconds,
                static_cast<double>(counts.rows) / seconds / 1e6);
  text += rate;
  const auto add = [&](const char* what, std::uint64_t count) {
    if (count > 0) text += std::string(", ") + what + " " + Grouped(count);
  };
  text += ":";
  const std::size_t begin = text.size();
  add("filtered", counts.filtered);
  add("in windows", counts.absorbed);
  add("written", counts.passed);
  add("late", counts.late);
  add("dropped", counts.dropped);
  add("rejected", counts.rejected);
  if (text.size() > begin) text.erase(begin, 1);
  if (counts.results > 0) {
    text += "\n" + Grouped(counts.results) + " results: written " + Grouped(counts.results_written);
    add("filtered", counts.results_filtered);
    add("in later windows", counts.results_absorbed);
    add("rejected", counts.results_rejected);
  }
  if (!rejects.first().empty()) {
    text += "\nthe first that was rejected: " + rejects.first();
    if (!rejects.path().empty()) text += "\nall of them: " + rejects.path();
  }
  return text + "\n";
}

std::string WhyFailed(const BatchCounts& counts, const Rejects& rejects, OutputColumns columns) {
  if (columns == OutputColumns::kUnknown && counts.rejected > 0 && counts.passed == 0) {
    return "the columns of the output are not known, since no row at the beginning of a file "
           "passes\n"
           "  hint: give them, `encode: { csv: { columns: [ts, temp] } }`, or write ndjson";
  }
  // The usual reason is a file of another kind than somebody thought.
  if (counts.rows > 0 && counts.rejected == counts.rows) return "every row was rejected";
  if (counts.results_rejected == 0 || counts.results_written > 0 || counts.results_filtered > 0 ||
      counts.passed > 0) {
    return {};
  }
  const bool no_column = rejects.first().find("field_without_column") != std::string::npos;
  return no_column ? "every result was rejected\n  hint: name all columns, `encode: { csv: { "
                     "columns: [ts, temp] } }`, or write ndjson"
                   : "every result was rejected";
}

std::string ReportJson(const BatchCounts& counts, double seconds,
                       const std::vector<std::pair<const char*, std::uint64_t>>& more) {
  std::vector<std::pair<const char*, std::uint64_t>> fields = {
      {"rows", counts.rows},
      {"filtered", counts.filtered},
      {"absorbed", counts.absorbed},
      {"written", counts.passed},
      {"late", counts.late},
      {"dropped", counts.dropped},
      {"rejected", counts.rejected},
      {"results", counts.results},
      {"results_written", counts.results_written},
      {"results_filtered", counts.results_filtered},
      {"results_absorbed", counts.results_absorbed},
      {"results_rejected", counts.results_rejected}};
  fields.insert(fields.end(), more.begin(), more.end());
  std::string text = "{";
  for (const auto& [name, count] : fields) {
    text += (text.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + std::to_string(count);
  }
  char tail[64];
  std::snprintf(tail, sizeof tail, ",\"seconds\":%.3f}\n", seconds);
  return text + tail;
}

}  // namespace runnel
