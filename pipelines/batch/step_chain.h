// StepChain: steps without state, one behind the other.
#pragma once

#include <memory>
#include <vector>

#include "pipelines/plan/compiled_plan.h"

namespace runnel {

class StepChain final {
 public:
  // The steps [from, to) of `plan`, which outlives this, as does `region`.
  static Result<StepChain> Start(const CompiledPlan& plan, std::size_t from, std::size_t to,
                                 StateRegion& region);

  // Pass where all let it pass; else what the first said that did not, and `step` is it.
  Verdict Apply(Record& record, Arena& arena, std::size_t& step) {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const Verdict verdict = runs_[i]->Apply(record, arena);
      if (verdict.kind == Verdict::Kind::kPass) continue;
      step = from_ + i;
      return verdict;
    }
    return Verdict::Pass();
  }

 private:
  explicit StepChain(std::size_t from) : from_(from) {}
  std::size_t from_;
  std::vector<std::unique_ptr<OperatorRun>> runs_;
};

}  // namespace runnel
