#include "pipelines/operators/lookup_table.h"

#include <cmath>

#include "pipelines/codecs/json.h"
#include "pipelines/codecs/text_values.h"

namespace runnel {
namespace {

// Values that decoding makes: an item of a list is 16 bytes, and 2 of the text.
std::size_t ArenaBytes(std::string_view text) { return 8 * text.size() + (64 << 10); }

Value ValueOf(const Node& node) {
  if (node.kind == Node::Kind::kNull) return Value();
  return ParseText(node.text, node.quoted ? TextType::kText : TextType::kAuto);
}

}  // namespace

LookupTable::LookupTable(LookupColumns columns, std::string_view text)
    : columns_(std::move(columns)),
      arena_(ArenaBytes(text)),
      seen_(columns_.on.size() + columns_.fields.size()) {
  text_.reserve(text.size() + Decoder::kPadding);
  text_.append(text).append(Decoder::kPadding, '\0');
}

Result<std::unique_ptr<const LookupTable>> LookupTable::FromText(std::string_view text,
                                                                 const Format& format, bool is_json,
                                                                 LookupColumns columns) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_array = is_json && first != std::string_view::npos && text[first] == '[';
  // The decoder takes objects: an array is the one member of one.
  const std::string wrapped = is_array ? R"({"rows":)" + std::string(text) + "}" : std::string();
  std::unique_ptr<LookupTable> table(
      new LookupTable(std::move(columns), is_array ? wrapped : text));
  if (Status read = is_array ? table->ReadArray() : table->ReadRecords(format); !read.ok()) {
    return read.error();
  }
  return std::unique_ptr<const LookupTable>(std::move(table));
}

Status LookupTable::ReadRecords(const Format& format) {
  FieldTable names;
  for (const auto* wanted : {&columns_.on, &columns_.fields}) {
    for (const std::string& name : *wanted) names.Intern(name);
  }
  const std::unique_ptr<Decoder> decoder = format.MakeDecoder(names, Unmentioned::kKeep);
  Record record(names);
  std::vector<Value> cells;
  std::vector<std::string_view> others;
  DecodeCursor cursor;
  while (!cursor.AtEnd()) {
    ++row_;
    record.Clear();
    const Outcome outcome = decoder->Next(text(), cursor, arena_, record);
    if (!outcome.ok()) return InRow(outcome.reason());
    cells.clear();
    for (const auto* wanted : {&columns_.on, &columns_.fields}) {
      for (const std::string& name : *wanted) cells.push_back(record.Get(names.Intern(name)));
    }
    if (Status added = Add(cells); !added.ok()) return added;
    for (const Record::Entry& entry : record.entries()) {
      if (row_ == 1 && entry.field == Record::kUnknown) others.push_back(entry.name);
    }
  }
  return CheckColumns(others);
}

Status LookupTable::ReadArray() {
  FieldTable names;
  const std::uint16_t rows = names.Intern("rows");
  const std::unique_ptr<Decoder> decoder = MakeJsonDecoder(names, Unmentioned::kSkip);
  Record record(names);
  const Outcome outcome = decoder->Decode(text(), arena_, record);
  if (!outcome.ok()) return Error{ErrorKind::kFix, outcome.reason()};
  std::vector<Value> cells;
  std::vector<std::string_view> others;
  for (const Value& row : record.Get(rows).AsList()) {
    ++row_;
    if (row.type() != Type::kMap) return InRow("is not an object");
    cells.clear();
    for (const auto* wanted : {&columns_.on, &columns_.fields}) {
      for (const std::string& name : *wanted) cells.push_back(Lookup(row, Value::String(name)));
    }
    if (Status added = Add(cells); !added.ok()) return added;
    if (row_ > 1) continue;
    for (const MapEntry& entry : row.AsMap()) others.push_back(entry.key.AsString());
  }
  return CheckColumns(others);
}

Result<std::unique_ptr<const LookupTable>> LookupTable::FromNode(const Node& rows,
                                                                 LookupColumns columns) {
  std::unique_ptr<LookupTable> table(new LookupTable(std::move(columns), {}));
  std::vector<Value> cells;
  std::vector<std::string_view> others;
  for (const Node& row : rows.items) {
    ++table->row_;
    if (!row.IsMap()) return table->InRow("is not a map");
    cells.clear();
    for (const auto* wanted : {&table->columns_.on, &table->columns_.fields}) {
      for (const std::string& name : *wanted) {
        const Node* cell = row.Find(name);
        if (cell != nullptr && (cell->IsMap() || cell->IsSequence())) {
          return table->InRow("has " + std::string(cell->KindName()) + " as `" + name + "`");
        }
        const Value value = cell == nullptr ? Value() : ValueOf(*cell);
        if (value.IsError()) return table->InRow(value.Reason());
        cells.push_back(CopyTo(table->arena_, value));
        if (cells.back().IsError()) return table->InRow("is too much for a table in a pipeline");
      }
    }
    if (Status added = table->Add(cells); !added.ok()) return added.error();
    if (table->row_ > 1) continue;
    for (const Node::Member& member : row.members) others.push_back(member.key);
  }
  if (Status checked = table->CheckColumns(others); !checked.ok()) return checked.error();
  return std::unique_ptr<const LookupTable>(std::move(table));
}

Status LookupTable::Add(std::span<const Value> cells) {
  std::string key;
  for (std::size_t i = 0; i < columns_.on.size(); ++i) {
    if (cells[i].IsMissing()) return InRow("has no `" + columns_.on[i] + "`");
    if (!AppendKey(cells[i], key)) {
      return InRow("has a `" + columns_.on[i] + "` that cannot be a key");
    }
  }
  if (!rows_.emplace(std::move(key), rows_.size()).second) {
    return InRow("has the key of an earlier row");
  }
  for (std::size_t i = 0; i < cells.size(); ++i) seen_[i] = seen_[i] || !cells[i].IsMissing();
  const auto fields = cells.subspan(columns_.on.size());
  cells_.insert(cells_.end(), fields.begin(), fields.end());
  return {};
}

Status LookupTable::CheckColumns(const std::vector<std::string_view>& others) const {
  for (std::size_t i = 0; row_ > 0 && i < columns_.fields.size(); ++i) {
    if (seen_[columns_.on.size() + i]) continue;
    const std::string_view meant = DidYouMean(columns_.fields[i], others);
    return Error{ErrorKind::kFix,
                 "no row has a `" + columns_.fields[i] + "`" +
                     (meant.empty() ? "" : "; did you mean `" + std::string(meant) + "`?")};
  }
  return {};
}

Error LookupTable::InRow(std::string message) const {
  return {ErrorKind::kFix, "row " + std::to_string(row_) + " " + std::move(message)};
}

const Value* LookupTable::Find(std::string_view key) const {
  const auto found = rows_.find(key);
  if (found == rows_.end()) return nullptr;
  return cells_.data() + found->second * columns_.fields.size();
}

bool LookupTable::AppendKey(const Value& value, std::string& key) {
  const std::size_t begin = key.size();
  switch (value.type()) {
    case Type::kString:
      key += value.AsString();
      break;
    case Type::kBool:
    case Type::kInt:
    case Type::kUint:
      AppendText(value, key);
      break;
    case Type::kDouble: {
      const double number = value.AsDouble();
      if (std::isnan(number)) return false;
      const bool whole = number == std::floor(number) && std::fabs(number) < 9.0e15;
      AppendText(whole ? Value::Int(static_cast<std::int64_t>(number)) : value, key);
      break;
    }
    default:
      return false;
  }
  // The length behind each part: ("a", "bc") is not ("ab", "c").
  key += '\n' + std::to_string(key.size() - begin);
  return true;
}

}  // namespace runnel
