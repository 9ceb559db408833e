#include <algorithm>
#include <cstring>

#include "pipelines/codecs/csv.h"
#include "pipelines/codecs/text_values.h"

namespace runnel {
namespace {

// Behind the end of the line that `at` is in.
std::uint64_t BehindLine(std::string_view payload, std::uint64_t at) {
  const std::size_t end = payload.find('\n', at);
  return end == std::string_view::npos ? payload.size() : end + 1;
}

const char* Fail(std::string_view payload, std::uint64_t& at, const char* reason) {
  at = BehindLine(payload, at);
  return reason;
}

// Takes what ends a field: a delimiter, a line end or the end of the payload.
bool TakeEnd(std::string_view payload, char delimiter, std::uint64_t& at, bool& last) {
  last = true;
  if (at == payload.size()) return true;
  if (payload[at] == delimiter) {
    ++at;
    last = false;
    return true;
  }
  if (payload.substr(at, 2) == "\r\n") {
    at += 2;
    return true;
  }
  if (payload[at] == '\n' || (payload[at] == '\r' && at + 1 == payload.size())) {
    ++at;
    return true;
  }
  return false;
}

const char* ReadQuoted(std::string_view payload, const CsvDialect& dialect, std::uint64_t& at,
                       Arena& arena, CsvField& field) {
  const std::uint64_t begin = ++at;
  std::size_t doubled = 0;
  while ((at = payload.find(dialect.quote, at)) != std::string_view::npos) {
    if (at + 1 == payload.size() || payload[at + 1] != dialect.quote) break;
    ++doubled;
    at += 2;
  }
  if (at == std::string_view::npos) {
    at = payload.size();
    return "csv_unclosed_quote";
  }
  field.quoted = true;
  field.text = payload.substr(begin, at - begin);
  ++at;
  if (doubled > 0) {
    char* copy = arena.AllocateArray<char>(field.text.size() - doubled);
    if (copy == nullptr) return Fail(payload, at, "out_of_memory");
    std::size_t size = 0;
    for (std::size_t i = 0; i < field.text.size(); ++i) {
      copy[size++] = field.text[i];
      if (field.text[i] == dialect.quote) ++i;
    }
    field.text = {copy, size};
  }
  if (TakeEnd(payload, dialect.delimiter, at, field.last)) return nullptr;
  return Fail(payload, at, "csv_text_behind_quote");
}

}  // namespace

const char* ReadCsvField(std::string_view payload, const CsvDialect& dialect, std::uint64_t& at,
                         Arena& arena, CsvField& field) {
  field = CsvField{};
  if (dialect.trim) {
    while (at < payload.size() && (payload[at] == ' ' || payload[at] == '\t') &&
           payload[at] != dialect.delimiter) {
      ++at;
    }
  }
  if (at < payload.size() && payload[at] == dialect.quote) {
    return ReadQuoted(payload, dialect, at, arena, field);
  }
  const std::uint64_t begin = at;
  while (at < payload.size() && payload[at] != dialect.delimiter && payload[at] != '\n') ++at;
  std::uint64_t end = at;
  if (end > begin && (at == payload.size() || payload[at] == '\n') && payload[end - 1] == '\r') {
    --end;
  }
  field.text = payload.substr(begin, end - begin);
  if (dialect.trim) field.text = TrimBlanks(field.text);
  TakeEnd(payload, dialect.delimiter, at, field.last);
  if (field.text.find(dialect.quote) == std::string_view::npos) return nullptr;
  if (!field.last) at = BehindLine(payload, at);
  field.last = true;
  return "csv_quote_inside_field";
}

}  // namespace runnel
