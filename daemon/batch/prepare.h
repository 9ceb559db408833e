// Prepare: from what was asked for to a pipeline for files: formats, topic, columns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/batch/chunker.h"
#include "daemon/batch/options.h"
#include "pipelines/batch/batch_plan.h"

namespace runnel {

struct Prepared {
  BatchSpec spec;
  std::unique_ptr<const BatchPlan> plan;
  std::vector<InputFile> inputs;
  ChunkOptions chunks;
  bool needs_columns = false;        // CSV, and nobody knows which: the first chunk tells
  std::vector<std::string> columns;  // of the output; empty: it has none
  bool writes_header = false;        // its first line has them
};

// nullopt after an error, which is in `diagnostics` or in `problem`.
std::optional<Prepared> Prepare(const BatchOptions& options, const Registry& registry,
                                Diagnostics& diagnostics, std::string& problem);
// Only the plan, for `explain --batch`: inputs are of the pipeline's own format.
std::unique_ptr<const BatchPlan> PlanForFiles(const PipelineFile& file, const Registry& registry,
                                              Diagnostics& diagnostics);

// The same with the columns that the first chunk has shown. False after an error.
bool SetColumns(Prepared& prepared, const std::vector<std::string>& fields,
                const Registry& registry, Diagnostics& diagnostics);
// The names as the first line of a CSV file; empty where it has none.
std::string HeaderLine(const Prepared& prepared);

}  // namespace runnel
