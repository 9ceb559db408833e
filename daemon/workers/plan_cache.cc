#include "daemon/workers/plan_cache.h"

#include <utility>

#include "pipelines/spec/node.h"

namespace runnel {

LoadedPlan::LoadedPlan(std::string pipeline, std::string encoded, std::unique_ptr<const Plan> plan)
    : pipeline_(std::move(pipeline)),
      encoded_(std::move(encoded)),
      plan_(std::move(plan)),
      tools_(plan_->stages()) {}

std::shared_ptr<StageTools> LoadedPlan::ToolsOf(std::size_t stage) {
  if (tools_[stage] == nullptr) tools_[stage] = Pipeline::MakeTools(*plan_, stage);
  return tools_[stage];
}

Result<std::unique_ptr<const Plan>> CompileEncoded(const std::string& pipeline,
                                                   std::string_view encoded,
                                                   const Registry& registry,
                                                   const PlanLimits& limits) {
  Result<Node> node = Node::Decode(encoded);
  if (!node.ok()) return std::move(node.error()).In("the plan in the journal");
  Diagnostics diagnostics;
  std::unique_ptr<const Plan> plan =
      CompilePlan(node.value(), pipeline, registry, limits, diagnostics);
  if (plan == nullptr) {
    return Error{ErrorKind::kFix,
                 "the plan in the journal does not compile: " + diagnostics.Format()};
  }
  return plan;
}

Result<std::shared_ptr<LoadedPlan>> PlanCache::Get(const std::string& pipeline,
                                                   std::string_view encoded) {
  std::erase_if(plans_, [](const auto& plan) { return plan.expired(); });
  for (const std::weak_ptr<LoadedPlan>& known : plans_) {
    std::shared_ptr<LoadedPlan> plan = known.lock();
    if (plan->Is(pipeline, encoded)) return plan;
  }
  Result<std::unique_ptr<const Plan>> plan = CompileEncoded(pipeline, encoded, *registry_, limits_);
  if (!plan.ok()) return plan.error();
  auto loaded =
      std::make_shared<LoadedPlan>(pipeline, std::string(encoded), std::move(plan).value());
  plans_.push_back(loaded);
  return loaded;
}

}  // namespace runnel
