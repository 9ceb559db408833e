// Report: where all rows of a run went, for people and for programs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/batch/rejects.h"
#include "pipelines/batch/chunk_mapper.h"

namespace runnel {

// kUnknown: of rows that pass, none of which was seen before the run.
enum class OutputColumns : std::uint8_t { kKnown, kUnknown };

// A few lines. `seconds` is how long it took.
std::string ReportText(const BatchCounts& counts, double seconds, const Rejects& rejects);
// Why a run that has read all is none that succeeded: nothing could be used. Empty: it did.
std::string WhyFailed(const BatchCounts& counts, const Rejects& rejects, OutputColumns columns);
// One JSON object on a line; `more` stands behind the counts.
std::string ReportJson(const BatchCounts& counts, double seconds,
                       const std::vector<std::pair<const char*, std::uint64_t>>& more);

}  // namespace runnel
