// Inputs: the files that `-i` names, in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/result.h"

namespace runnel {

struct InputFile {
  std::string path;  // `-` is standard input
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
  bool is_stream = false;     // no regular file: standard input, a fifo, `<(...)`; there once

  bool IsStdin() const { return path == "-"; }
};

// What a run has beside its output until it is done: each is the name of the output with one of
// these behind it.
constexpr std::string_view kRunEnds[] = {".runnel-part", ".runnel-rejects", ".runnel-spool",
                                         ".runnel-manifest", ".runnel-lock"};

// Files as they are, folders as the files in them by name without hidden ones, patterns
// (`*`, `?`, `[…]`) as what they match by name, both without what runs have beside their outputs.
// Each must give a file at least.
Result<std::vector<InputFile>> ListInputs(const std::vector<std::string>& words);

// What is to be said where a file is there more than once; else empty.
std::string TwiceAmong(const std::vector<InputFile>& files);

// `csv`, `ndjson` or `line` by the end of a name, also in front of `.gz` and `.zst`; empty
// where it does not say.
std::string FormatOfName(const std::string& path);
// Whether that is csv with tabs.
bool IsTsvByName(const std::string& path);
// `parquet` and others that are not lines of text; empty where the name does not say so.
std::string_view ForeignFormatOfName(const std::string& path);

}  // namespace runnel
