#include "daemon/ingest/set_aside.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ingest/stored_plans.h"
#include "daemon/ingest/task_folders.h"
#include "daemon/journal/ended_tasks.h"
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

// What an earlier plan of the pipeline and this one say of the exchange. `stages` as there are
// tasks.
Exchanges Compare(const Plan& plan, std::uint64_t fingerprint, std::size_t stages,
                  const TaskSetOptions& options) {
  // All that is known of one that is lost.
  Exchanges unknown = stages == 1 ? Exchanges::kTheSame : Exchanges::kOtherRecords;
  if (stages != plan.stages()) unknown = Exchanges::kOtherwise;
  if (options.compile == nullptr) return unknown;
  const Result<std::string> encoded = ReadStoredPlan(options.runtime, plan.name(), fingerprint);
  if (!encoded.ok()) return unknown;
  const Result<std::unique_ptr<const Plan>> compiled =
      options.compile(plan.name(), encoded.value());
  if (!compiled.ok()) return unknown;
  const Plan& earlier = *compiled.value();
  if (earlier.exchange_digest() == plan.exchange_digest()) return Exchanges::kTheSame;
  if (earlier.stages() != plan.stages()) return Exchanges::kOtherwise;
  for (std::size_t stage = 0; stage + 1 < earlier.stages(); ++stage) {
    if (earlier.HasState(stage)) return Exchanges::kOtherwise;
  }
  return Exchanges::kOtherRecords;
}

// Whether new tasks of a pipeline fit in beside those that there are.
Status HasRoom(const Plan& plan, const TaskSetOptions& options) {
  // What has come back from a snapshot has holes where it needs room.
  for (const auto& [name, id] : TasksThatAreThere(options.runtime, options.state)) {
    Result<TaskFiles> files = TaskFiles::Open(TaskFolder(options.runtime, id));
    if (!files.ok() && files.error().kind == ErrorKind::kRetry) {
      return std::move(files.error()).In("opening `" + name + "`");
    }
  }
  std::uint64_t tasks = 0;
  for (std::size_t stage = 0; stage < plan.stages(); ++stage) tasks += plan.partitions(stage);
  const std::uint64_t needed = tasks * TaskFiles::BytesFor(options.sizes);
  std::error_code error;
  const fs::space_info space = fs::space(options.runtime, error);
  if (error || space.available >= needed) return {};
  constexpr std::uint64_t kKibibyte = 1024;
  return Error{ErrorKind::kRetry,
               "the stages of `" + plan.name() +
                   "` exchange other records than before, so it needs new tasks beside those that "
                   "it has: `" +
                   options.runtime + "` has " + std::to_string(space.available / kKibibyte) +
                   " KiB left, and they take " + std::to_string(needed / kKibibyte) +
                   "; until upstream has what waits the pipeline can run as it was"};
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
  std::vector<TaskId> tasks;
  std::size_t stages = 0;
  for (const auto& [name, id] : TasksThatAreThere(options.runtime, options.state)) {
    if (id.pipeline != plan.name() || id.generation != 0) continue;
    if (Status restored = RestoreTask(options.runtime, options.state, id, options.warn);
        !restored.ok()) {
      return restored;
    }
    tasks.push_back(id);
    stages = std::max<std::size_t>(stages, id.stage + 1);
  }
  std::map<std::uint64_t, Exchanges> plans;  // by fingerprint
  bool goes_over = true;
  bool is_wanted = false;
  for (const TaskId& id : tasks) {
    const Result<TaskReport> report = ReadTaskReport(TaskFolder(options.runtime, id));
    if (!report.ok()) continue;
    const std::uint64_t fingerprint = report.value().plan_fingerprint;
    if (fingerprint == 0 || fingerprint == pipeline.fingerprint) continue;
    const auto [earlier, is_new] = plans.emplace(fingerprint, Exchanges::kTheSame);
    if (is_new) earlier->second = Compare(plan, fingerprint, stages, options);
    if (earlier->second == Exchanges::kTheSame) continue;
    goes_over &= earlier->second == Exchanges::kOtherRecords && report.value().quiet;
    is_wanted |= id.stage < plan.stages() && id.partition < plan.partitions(id.stage);
  }
  if (goes_over || !is_wanted) return {};
  // Renamed they would not be there for the earlier pipeline either.
  if (Status room = HasRoom(plan, options); !room.ok()) return room;
  for (const TaskId& id : tasks) {
    if (Status forgotten = ForgetSnapshot(options.state, id); !forgotten.ok()) return forgotten;
  }
  TaskId aside;
  aside.pipeline = plan.name();
  std::error_code ignored;
  fs::remove(EndedTasksPath(PipelineFolder(options.state, aside)), ignored);
  return Rename(plan.name(), options);
}

}  // namespace runnel
