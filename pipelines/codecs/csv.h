// CSV (RFC 4180), read a field at a time; for the codec and for files.
#pragma once

#include <cstdint>
#include <string_view>

#include "pipelines/base/arena.h"

namespace runnel {

struct CsvDialect {
  char delimiter = ',';
  char quote = '"';
  bool trim = false;  // blanks around a field without quotes do not count
};

struct CsvField {
  std::string_view text;  // borrowed from the payload, or with doubled quotes from the arena
  bool quoted = false;
  bool last = false;  // of its record
};

// Reads the field at `at` and moves behind it and its delimiter or line end. A literal
// reason on failure, then `at` is behind the line. REQUIRES: at < payload.size(), or the
// field is an empty last one.
const char* ReadCsvField(std::string_view payload, const CsvDialect& dialect, std::uint64_t& at,
                         Arena& arena, CsvField& field);

}  // namespace runnel
