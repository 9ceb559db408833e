// LookupTable: rows of values, found by the text of their key.
//
// Made when a plan is compiled, from a file's text that stands in the plan or from rows
// in it; immutable afterwards, so a replay finds what the first run found.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/result.h"
#include "pipelines/codecs/codec.h"
#include "pipelines/spec/node.h"
#include "pipelines/value/record.h"

namespace runnel {

// The columns of a table that are used: its key, and what is taken from it.
struct LookupColumns {
  std::vector<std::string> on;      // at least one
  std::vector<std::string> fields;  // may be empty
};

class LookupTable final {
 public:
  // From the rows that `format` finds in `text`; a JSON text may be an array of objects.
  // An error tells the row, counted from 1 without a line of names.
  static Result<std::unique_ptr<const LookupTable>> FromText(std::string_view text,
                                                             const Format& format, bool is_json,
                                                             LookupColumns columns);
  // From a list of maps of scalars.
  static Result<std::unique_ptr<const LookupTable>> FromNode(const Node& rows,
                                                             LookupColumns columns);

  // The values of LookupColumns::fields in the row of `key`, each possibly missing; nullptr
  // where there is none. `key`: see AppendKey.
  const Value* Find(std::string_view key) const;
  std::size_t rows() const { return rows_.size(); }

  // Appends a part of a key as text: 17, 17.0 and "17" are the same. False for what
  // cannot be a key: null, lists, maps, NaN and errors.
  static bool AppendKey(const Value& value, std::string& key);

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  LookupTable(LookupColumns columns, std::string_view text);
  std::string_view text() const {
    return std::string_view(text_).substr(0, text_.size() - Decoder::kPadding);
  }
  Status ReadRecords(const Format& format);
  Status ReadArray();
  // `cells`: of the columns of the key, then of the fields.
  Status Add(std::span<const Value> cells);
  Error InRow(std::string message) const;
  // Whether each column is somewhere; `others`: names that nobody asked for.
  Status CheckColumns(const std::vector<std::string_view>& others) const;

  LookupColumns columns_;
  std::string text_;  // what the values borrow from, with the padding that decoders ask for
  Arena arena_;
  std::vector<Value> cells_;
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> rows_;
  std::size_t row_ = 0;     // that is being read
  std::vector<bool> seen_;  // by column: a row has a value there
};

}  // namespace runnel
