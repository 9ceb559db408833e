#include "pipelines/codecs/csv_plan.h"

#include <algorithm>

namespace runnel {
namespace {

bool ReadCharacter(const Node& node, const char* option, const std::string& text, char& character,
                   Diagnostics& diagnostics) {
  const bool tab = text == "tab" || text == "\\t";
  character = tab ? '\t' : text[0];
  if (tab || (text.size() == 1 && text[0] != '\n' && text[0] != '\r')) return true;
  diagnostics.Error(node.Find(option)->position,
                    "`" + std::string(option) + "` is one character, found `" + text + "`");
  return false;
}

}  // namespace

bool CsvPlan::IsNull(std::string_view text) const {
  const std::vector<std::string>& null = options.null;
  return text.empty() || std::find(null.begin(), null.end(), text) != null.end();
}

std::optional<CsvPlan> CompileCsvPlan(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  std::optional<CsvOptions> options = Read<CsvOptions>(node, "csv", diagnostics, &at);
  if (!options.has_value()) return std::nullopt;
  CsvPlan plan;
  if (!ReadCharacter(node, "delimiter", options->delimiter, plan.dialect.delimiter, diagnostics) ||
      !ReadCharacter(node, "quote", options->quote, plan.dialect.quote, diagnostics)) {
    return std::nullopt;
  }
  if (plan.dialect.delimiter == plan.dialect.quote) {
    diagnostics.Error(at, "`delimiter` and `quote` are the same character");
    return std::nullopt;
  }
  std::vector<std::string> columns = options->columns;
  std::sort(columns.begin(), columns.end());
  if (const auto twice = std::adjacent_find(columns.begin(), columns.end());
      twice != columns.end()) {
    diagnostics.Error(node.Find("columns")->position, "column `" + *twice + "` is there twice");
    return std::nullopt;
  }
  plan.dialect.trim = options->trim;
  plan.has_header = options->columns.empty() || options->header.value_or(false);
  plan.options = std::move(*options);
  return plan;
}

}  // namespace runnel
