#include "daemon/workers/assignment.h"

#include <utility>

namespace runnel {

Result<std::unique_ptr<Host>> BuildHost(Assignment assignment, const Registry& registry,
                                        const std::function<void(const Error&)>& report) {
  Result<std::unique_ptr<Host>> host =
      Host::Create(std::move(assignment.links), assignment.settings.max_delay);
  if (!host.ok()) return host;
  PlanLimits limits;
  limits.record_max = assignment.settings.record_max;
  const auto plans = std::make_shared<PlanCache>(registry, limits);
  for (Assignment::OneTask& one : assignment.tasks) {
    TaskOptions options;
    options.plan = std::move(one.settings.plan);
    options.plan_fingerprint = one.settings.plan_fingerprint;
    options.poison_text = assignment.settings.poison_text;
    Result<std::unique_ptr<Task>> task =
        Task::Open(std::move(one.settings.id), std::move(one.files), plans, options);
    if (!task.ok()) {
      report(task.error());
      continue;
    }
    if (!task.value()->incident().empty()) {
      report(Error{ErrorKind::kGiveUp, task.value()->incident()});
    }
    host.value()->Add({std::move(task).value(), one.settings.last_stage, one.settings.appends});
  }
  return host;
}

}  // namespace runnel
