#include "daemon/ingest/set_aside.h"

#include <filesystem>
#include <map>
#include <string>

#include "daemon/ingest/stored_plans.h"
#include "daemon/ingest/task_folders.h"
#include "daemon/journal/task_report.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

// The stages of an earlier plan, beside those of the one that follows.
enum class Exchanges {
  kTheSame,
  kOtherRecords,  // and what is in the last stage goes on where nothing else is
  kOtherwise,
};

// What an earlier plan of the pipeline and this one say of the exchange. What cannot be compared is
// taken for the same.
Exchanges Compare(const Plan& plan, std::uint64_t fingerprint, const TaskSetOptions& options) {
  if (options.compile == nullptr) return Exchanges::kTheSame;
  const Result<std::string> encoded = ReadStoredPlan(options.runtime, plan.name(), fingerprint);
  if (!encoded.ok()) return Exchanges::kTheSame;
  const Result<std::unique_ptr<const Plan>> compiled =
      options.compile(plan.name(), encoded.value());
  if (!compiled.ok()) return Exchanges::kTheSame;
  const Plan& earlier = *compiled.value();
  if (earlier.exchange_digest() == plan.exchange_digest()) return Exchanges::kTheSame;
  if (earlier.stages() != plan.stages()) return Exchanges::kOtherwise;
  for (std::size_t stage = 0; stage + 1 < earlier.stages(); ++stage) {
    if (earlier.HasState(stage)) return Exchanges::kOtherwise;
  }
  return Exchanges::kOtherRecords;
}

// Of the tasks of a pipeline, into the next generation.
Status Rename(const std::string& pipeline, const TaskSetOptions& options) {
  TaskId aside;
  aside.pipeline = pipeline;
  const std::string from = PipelineFolder(options.runtime, aside);
  const auto is_taken = [&](const std::string& base) {
    std::error_code error;
    return fs::exists(PipelineFolder(base, aside), error);
  };
  for (aside.generation = 1; is_taken(options.runtime) || is_taken(options.state);) {
    ++aside.generation;
  }
  std::error_code error;
  fs::rename(from, PipelineFolder(options.runtime, aside), error);
  if (error) return Error{ErrorKind::kRetry, "renaming `" + from + "`: " + error.message()};
  options.warn("the stages of `" + pipeline +
               "` exchange other records than before: its tasks go on as `" +
               aside.PipelineFolder() + "` until they have ended, and new ones take what comes");
  return {};
}

}  // namespace

Status SetAsideIfChanged(const RunningPipeline& pipeline, const TaskSetOptions& options) {
  const Plan& plan = *pipeline.plan;
  std::map<std::uint64_t, Exchanges> plans;  // by fingerprint
  bool goes_over = true;
  bool is_wanted = false;
  for (const auto& [name, id] : TasksThatAreThere(options.runtime, options.state)) {
    if (id.pipeline != plan.name() || id.generation != 0) continue;
    if (Status restored = RestoreTask(options.runtime, options.state, id, options.warn);
        !restored.ok()) {
      return restored;
    }
    const Result<TaskReport> report = ReadTaskReport(TaskFolder(options.runtime, id));
    if (!report.ok()) continue;
    const std::uint64_t fingerprint = report.value().plan_fingerprint;
    if (fingerprint == 0 || fingerprint == pipeline.fingerprint) continue;
    const auto [earlier, is_new] = plans.emplace(fingerprint, Exchanges::kTheSame);
    if (is_new) earlier->second = Compare(plan, fingerprint, options);
    if (earlier->second == Exchanges::kTheSame) continue;
    goes_over &= earlier->second == Exchanges::kOtherRecords && report.value().quiet;
    is_wanted |= id.stage < plan.stages() && id.partition < plan.partitions(id.stage);
  }
  return goes_over || !is_wanted ? Status() : Rename(plan.name(), options);
}

}  // namespace runnel
