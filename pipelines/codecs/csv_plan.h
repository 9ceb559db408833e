// CsvPlan: the options of csv, checked; for the codec and for files read row by row.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/codecs/csv.h"
#include "pipelines/codecs/text_values.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"

namespace runnel {

struct CsvOptions {
  std::vector<std::string> columns;
  std::string delimiter = ",";
  std::string quote = "\"";
  std::optional<bool> header;
  std::vector<std::string> null;
  std::vector<std::pair<std::string, TextType>> types;
  bool trim = false;
  bool ragged = false;
  static void Describe(Schema<CsvOptions>& schema) {
    schema
        .Optional("columns", &CsvOptions::columns,
                  "The names of the columns; without it the first line of each message has them. "
                  "When writing: the fields, in this order.")
        .Example("[ts, temp]");
    schema.Optional("delimiter", &CsvOptions::delimiter, "One character between fields, or `tab`.")
        .NotEmpty();
    schema.Optional("quote", &CsvOptions::quote, "One character around fields.").NotEmpty();
    schema.Optional("header", &CsvOptions::header,
                    "Whether the first line has names: to be skipped where `columns` are given; "
                    "when writing, to be written.");
    schema.Optional("null", &CsvOptions::null, "Fields without quotes that are missing values too.")
        .OrSingle()
        .Example("[NA, '-']");
    schema
        .Optional("types", &CsvOptions::types,
                  "What a column must be, where it is not what it looks like.")
        .OneOf({{"auto", TextType::kAuto},
                {"number", TextType::kNumber},
                {"text", TextType::kText},
                {"bool", TextType::kBool}})
        .Example("{ id: text }");
    schema.Optional("trim", &CsvOptions::trim, "Blanks around fields without quotes do not count.");
    schema.Optional("ragged", &CsvOptions::ragged,
                    "Whether a line may have fewer fields than there are columns.");
  }
};

struct CsvPlan {
  CsvOptions options;
  CsvDialect dialect;
  bool has_header = true;

  // Whether a field without quotes is a missing value.
  bool IsNull(std::string_view text) const;
};

// nullopt after an error. `at` is the place of the codec's name.
std::optional<CsvPlan> CompileCsvPlan(const Node& node, const Position& at,
                                      Diagnostics& diagnostics);

}  // namespace runnel
