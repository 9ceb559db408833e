// SortedFormat: an encoder for stages whose results are sorted before they are written.
//
// In front of each line stands where it belongs: for the result of a window its start and
// key; a row stays where it is, and whoever runs the stage knows where that was.
#pragma once

#include <memory>
#include <string_view>

#include "pipelines/batch/batch_plan.h"

namespace runnel {

// Wraps the format that `plan` encodes with; `plan` outlives the encoders.
std::unique_ptr<const Format> MakeSortedFormat(const BatchPlan& plan,
                                               std::unique_ptr<const Format> inner);

struct SortedLine {
  bool is_result = false;
  std::string_view key;  // of a result
  std::string_view line;
};
// Takes apart what such an encoder has written.
SortedLine ReadSortedLine(std::string_view payload);

}  // namespace runnel
