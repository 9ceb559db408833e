// Report: where all rows of a run went, for people and for programs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/batch/rejects.h"
#include "pipelines/batch/chunk_mapper.h"

namespace runnel {

// A few lines. `seconds` is how long it took.
std::string ReportText(const BatchCounts& counts, double seconds, const Rejects& rejects);
// One JSON object on a line; `more` stands behind the counts.
std::string ReportJson(const BatchCounts& counts, double seconds,
                       const std::vector<std::pair<const char*, std::uint64_t>>& more);

}  // namespace runnel
