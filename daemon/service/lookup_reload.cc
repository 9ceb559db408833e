#include "daemon/service/lookup_reload.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "config/lookup_file.h"
#include "daemon/posix/inotify.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// A file that is written in pieces is read when it has been left alone so long.
constexpr milliseconds kSettled(200);
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM;

}  // namespace

Result<std::unique_ptr<LookupReload>> LookupReload::Create(asio::io_context& loop, TaskSet& tasks,
                                                           PlanSender& plans, Log& log,
                                                           Options options) {
  std::set<std::string> paths;
  for (const PipelineFile& file : options.files) {
    for (std::string& path : LookupFiles(file.root)) paths.insert(std::move(path));
  }
  if (paths.empty()) return std::unique_ptr<LookupReload>();
  const int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) {
    return Error{ErrorKind::kRetry, std::string("cannot watch files: ") + std::strerror(errno)};
  }
  std::unique_ptr<LookupReload> reload(
      new LookupReload(loop, inotify, tasks, plans, log, std::move(options)));
  for (const std::string& path : paths) {
    if (Status watched = reload->Watch(path); !watched.ok()) return watched.error();
    // Of a link also what it stands for; replacing the link itself is seen above.
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error || real == fs::absolute(path)) continue;
    if (Status watched = reload->Watch(real.string()); !watched.ok()) return watched.error();
  }
  reload->Read();
  reload->Reload();  // what changed before somebody watched
  return reload;
}

LookupReload::LookupReload(asio::io_context& loop, int inotify, TaskSet& tasks, PlanSender& plans,
                           Log& log, Options options)
    : tasks_(&tasks),
      plans_(&plans),
      log_(&log),
      options_(std::move(options)),
      inotify_(loop, inotify),
      settled_(loop) {}

Status LookupReload::Watch(const std::string& path) {
  const fs::path file(path);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  const int watch = inotify_add_watch(inotify_.native_handle(), folder.c_str(), kChanges);
  if (watch < 0) {
    return Error{ErrorKind::kFix, "cannot watch `" + folder + "`: " + std::strerror(errno)};
  }
  names_[watch].insert(file.filename().string());
  return {};
}

void LookupReload::Read() {
  inotify_.async_read_some(asio::buffer(events_),
                           [this](const asio::error_code& error, std::size_t size) {
                             if (error) return;
                             if (IsOfTable({events_, size})) {
                               settled_.expires_after(kSettled);
                               settled_.async_wait([this](const asio::error_code& cancelled) {
                                 if (!cancelled) Reload();
                               });
                             }
                             Read();
                           });
}

// Whether one of the events may have changed a table. `..data` is what the tools of
// containers exchange to replace all files of a folder at once.
bool LookupReload::IsOfTable(std::string_view events) const {
  for (InotifyEvent event; NextEvent(events, event);) {
    const auto folder = names_.find(event.watch);
    if ((event.mask & IN_Q_OVERFLOW) != 0 || event.name == "..data") return true;
    if (folder != names_.end() && folder->second.contains(event.name)) return true;
  }
  return false;
}

void LookupReload::Reload() {
  for (std::size_t i = 0; i < options_.files.size(); ++i) {
    if (!LookupFiles(options_.files[i].root).empty()) ReloadPipeline(i);
  }
}

void LookupReload::ReloadPipeline(std::size_t pipeline) {
  const PipelineFile& file = options_.files[pipeline];
  Node root = file.root;
  Diagnostics diagnostics;
  std::unique_ptr<const Plan> plan;
  if (ResolveLookupFiles(root, ".", diagnostics)) {
    Registry registry;
    RegisterAll(registry);
    PlanLimits limits;
    limits.record_max = static_cast<std::uint64_t>(options_.limits.record.bytes);
    plan = CompilePlan(root, file.name, registry, limits, diagnostics);
  }
  std::string encoded = root.Encode();
  if (plan != nullptr && encoded.size() > options_.limits.PlanMax()) {
    diagnostics.Error({file.path, 0, 0}, "the table is too large for limits.journal");
    plan = nullptr;
  }
  if (plan == nullptr) {
    log_->Error("a changed table of `" + file.name +
                "` is not used, the earlier one stays: " + diagnostics.Format());
    return;
  }
  if (encoded == tasks_->pipelines()[pipeline].encoded) return;
  if (const Status changed = tasks_->ChangePlan(pipeline, std::move(encoded), plan->fingerprint());
      !changed.ok()) {
    log_->Error("the changed table of `" + file.name + "`: " + changed.error().message);
    return;
  }
  plans_->Send(pipeline);
  log_->Info("`" + file.name + "` goes over to its changed table");
}

void LookupReload::Stop() {
  asio::error_code ignored;
  inotify_.cancel(ignored);
  settled_.cancel();
}

}  // namespace runnel
