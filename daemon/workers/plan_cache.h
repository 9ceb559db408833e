// PlanCache: the plans that a process runs, each compiled once.
//
// The tasks of a pipeline run one plan, and one after the other: they have it between
// them, and the tools of each of its stages. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/result.h"
#include "pipelines/plan/pipeline.h"
#include "pipelines/plan/registry.h"

namespace runnel {

// A plan and what its tasks share; lives as long as one of them runs it.
class LoadedPlan final {
 public:
  LoadedPlan(std::string pipeline, std::string encoded, std::unique_ptr<const Plan> plan);
  const Plan& plan() const { return *plan_; }
  bool Is(std::string_view pipeline, std::string_view encoded) const {
    return pipeline_ == pipeline && encoded_ == encoded;
  }
  // REQUIRES: stage < plan().stages().
  std::shared_ptr<StageTools> ToolsOf(std::size_t stage);

 private:
  std::string pipeline_;
  std::string encoded_;
  std::unique_ptr<const Plan> plan_;
  std::vector<std::shared_ptr<StageTools>> tools_;  // of the stages; made when asked for
};

// The plan of a Node, encoded, as it stands in a journal.
Result<std::unique_ptr<const Plan>> CompileEncoded(const std::string& pipeline,
                                                   std::string_view encoded,
                                                   const Registry& registry,
                                                   const PlanLimits& limits);

class PlanCache final {
 public:
  // `registry` outlives the cache.
  PlanCache(const Registry& registry, const PlanLimits& limits)
      : registry_(&registry), limits_(limits) {}

  const PlanLimits& limits() const { return limits_; }
  // CompileEncoded, or one that is there.
  Result<std::shared_ptr<LoadedPlan>> Get(const std::string& pipeline, std::string_view encoded);

 private:
  const Registry* registry_;
  PlanLimits limits_;
  std::vector<std::weak_ptr<LoadedPlan>> plans_;
};

}  // namespace runnel
