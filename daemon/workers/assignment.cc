#include "daemon/workers/assignment.h"

#include <utility>

namespace runnel {

Result<std::unique_ptr<Host>> BuildHost(Assignment assignment, const Registry& registry,
                                        const std::function<void(const Error&)>& report) {
  Result<std::unique_ptr<Host>> host =
      Host::Create(std::move(assignment.links), assignment.settings.max_delay);
  if (!host.ok()) return host;
  for (Assignment::OneTask& one : assignment.tasks) {
    TaskOptions options;
    options.limits.record_max = assignment.settings.record_max;
    options.plan = std::move(one.settings.plan);
    options.plan_fingerprint = one.settings.plan_fingerprint;
    options.poison_text = assignment.settings.poison_text;
    Result<std::unique_ptr<Task>> task =
        Task::Open(std::move(one.settings.id), std::move(one.files), registry, options);
    if (!task.ok()) {
      report(task.error());
      continue;
    }
    if (!task.value()->incident().empty()) {
      report(Error{ErrorKind::kGiveUp, task.value()->incident()});
    }
    host.value()->Add({std::move(task).value(), one.settings.last_stage});
  }
  return host;
}

}  // namespace runnel
