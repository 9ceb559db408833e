// ResultWriter: records as lines of the output.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/batch/batch_plan.h"

namespace runnel {

class ResultWriter final {
 public:
  // For the records that come out of the last step. `plan` outlives this.
  explicit ResultWriter(const BatchPlan& plan);

  // Appends a line; a literal reason on failure, and then nothing.
  const char* Append(const Record& record, std::string& out);

 private:
  // A field that has no column would be lost in silence.
  bool HasColumns(const Record& record);

  const BatchPlan* plan_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<bool> has_column_;  // by number of the last table's fields
};

}  // namespace runnel
