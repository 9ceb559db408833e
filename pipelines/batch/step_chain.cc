#include "pipelines/batch/step_chain.h"

#include <utility>

namespace runnel {

Result<StepChain> StepChain::Start(const CompiledPlan& plan, std::size_t from, std::size_t to,
                                   StateRegion& region) {
  StepChain chain(from);
  for (std::size_t i = from; i < to; ++i) {
    Result<std::unique_ptr<OperatorRun>> run =
        plan.steps[i].op->Start(region, static_cast<int>(i % StateRegion::kRoots));
    if (!run.ok()) return run.error();
    chain.runs_.push_back(std::move(run).value());
  }
  return chain;
}

}  // namespace runnel
