#include "daemon/service/app.h"

#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "daemon/ingest/task_folders.h"
#include "daemon/journal/pipeline_report.h"
#include "daemon/posix/clock.h"
#include "daemon/posix/files.h"
#include "daemon/posix/process.h"
#include "daemon/posix/startup_memory.h"
#include "daemon/service/mqtt_setup.h"
#include "daemon/workers/plan_cache.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long the end may take, step by step; with the uplink's own drain under systemd's
// default of 90 s by far.
constexpr milliseconds kGoodbye{2000};  // sources
constexpr milliseconds kDrain{5000};    // what was taken in is worked off
constexpr milliseconds kWorkersEnd{3000};
constexpr milliseconds kUplinkEnd{8000};  // publishes what is left, says goodbye
constexpr milliseconds kDrainLook{20};
// What a worker may allocate beside the state that it has mapped: a runaway record ends
// its worker and not the device.
constexpr std::uint64_t kWorkerMemoryMax = 256 << 20;

// Never used before: what is made with it differs from what any earlier daemon made.
std::uint64_t DrawIncarnation() {
  std::uint64_t drawn = 0;
  if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) {
    drawn = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  }
  return drawn;
}

}  // namespace

App::App(Options options, Log& log)
    : options_(std::move(options)),
      log_(&log),
      notifier_(options_.notify_socket, options_.watchdog_usec),
      signals_(loop_, SIGTERM, SIGINT),
      timer_(loop_),
      watchdog_(loop_) {}

App::~App() = default;

int App::Run() {
  if (!IgnoresHangUp()) signals_.add(SIGHUP);
  if (const Status begun = Begin(); !begun.ok()) {
    log_->Error(begun.error().message);
    return 1;
  }
  WaitForSignals();
  WatchRuntime();
  loop_.run();
  return exit_code_;
}

Time App::Now() const { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

std::vector<Ringer*> App::Ringers() {
  std::vector<Ringer*> ringers;
  for (std::size_t i = 0; i < HostCount(options_.device); ++i) {
    ringers.push_back(&board_->worker_ringer(i));
  }
  return ringers;
}

Status App::Begin() {
  if (Status locked = LockFolders(); !locked.ok()) return locked;
  Status prepared = Prepare();
  if (prepared.ok()) prepared = tasks_->ForgetSaved();
  if (prepared.ok()) return supervisor_->Begin([this] { OnReady(); });
  // Nobody will at the end of a daemon that does not begin.
  const DeviceConfig& device = options_.device;
  if (const Status saved = SaveRestOfTasks(device.runtime, device.state); !saved.ok()) {
    log_->Error("saving the state: " + saved.error().message);
  }
  return prepared;
}

Status App::LockFolders() {
  const DeviceConfig& device = options_.device;
  for (const auto& [folder, lock] :
       {std::pair(&device.runtime, &runtime_lock_), std::pair(&device.state, &state_lock_)}) {
    if (Status made = MakeFolders(*folder); !made.ok()) {
      made.error().message += "; `runtime:` and `state:` in runnel.yaml say where";
      return made;
    }
    Result<Fd> locked = LockFile(*folder + "/lock");
    if (!locked.ok()) return locked.error();
    *lock = std::move(locked).value();
  }
  return {};
}

Status App::OpenTasks() {
  const DeviceConfig& device = options_.device;
  TaskSetOptions options;
  options.runtime = device.runtime;
  options.state = device.state;
  options.sizes.in_ring = static_cast<std::uint64_t>(device.limits.journal.bytes);
  options.sizes.out_ring = options.sizes.in_ring;
  options.sizes.state = static_cast<std::uint64_t>(device.limits.state.bytes);
  options.record_max = static_cast<std::uint64_t>(device.limits.record.bytes);
  options.workers = HostCount(device);
  options.incarnation = DrawIncarnation();
  options.warn = [this](const std::string& text) { log_->Warn(text); };
  options.compile = [&options](const std::string& pipeline, std::string_view encoded) {
    Registry registry;
    RegisterAll(registry);
    PlanLimits limits;
    limits.record_max = options.record_max;
    return CompileEncoded(pipeline, encoded, registry, limits);
  };
  options.may_end = [&device](const Plan& plan, const Plan* now) {
    return MayEnd(device, plan, now);
  };
  Result<std::unique_ptr<TaskSet>> tasks = TaskSet::Open(std::move(options_.pipelines), options);
  if (!tasks.ok()) return tasks.error();
  tasks_ = std::move(tasks).value();
  return {};
}

// Everything but what would have to be done only once.
Status App::Prepare() {
  if (Status opened = OpenTasks(); !opened.ok()) return opened;
  Result<std::unique_ptr<Switchboard>> board = Switchboard::Create(HostCount(options_.device));
  if (!board.ok()) return board.error();
  board_ = std::move(board).value();
  tasks_->CountAppends(board_->append_counts());
  std::vector<const Doorbell*> bells;
  for (std::size_t i = 0; i < HostCount(options_.device); ++i) {
    bells.push_back(&board_->worker_bell(i));
  }
  const DeviceLimits& limits = options_.device.limits;
  Exchange::Options exchange;
  exchange.max_delay = limits.max_delay;
  exchange.state = options_.device.state;
  exchange.dead_letters_max = static_cast<std::uint64_t>(limits.dead_letters.bytes);
  exchange.report = [this](const Error& error) { log_->Error(error.message); };
  Result<std::unique_ptr<Exchange>> opened =
      Exchange::Open(*tasks_, Ringers(), std::move(bells), std::move(exchange));
  if (!opened.ok()) return opened.error();
  exchange_ = std::move(opened).value();
  Ticker::Options ticker;
  ticker.now = [this] { return Now(); };
  ticker.max_delay = limits.max_delay;
  ticker.on_tick = [this] { supervisor_->Watch(); };
  ticker.on_set_back = [this](Duration by) {
    log_->Warn("the clock is " + FormatDuration(std::chrono::floor<std::chrono::seconds>(by)) +
               " behind what has come in before; until it has caught up no alarm about silence and "
               "no window by arrival comes");
  };
  ticker_ = std::make_unique<Ticker>(loop_, *tasks_, Ringers(), std::move(ticker));

  MakeSupervisor();
  plans_ = std::make_unique<PlanSender>(loop_, *tasks_, Ringers(), *log_, [this] { return Now(); });
  TellPlans();
  LookupReload::Options reload;
  reload.files = options_.files;
  reload.limits = limits;
  Result<std::unique_ptr<LookupReload>> lookups =
      LookupReload::Create(loop_, *tasks_, *plans_, *log_, std::move(reload));
  if (!lookups.ok()) return lookups.error();
  lookups_ = std::move(lookups).value();
  Retirement::Options retirement;
  retirement.now = [this] { return Now(); };
  retirement.may_remove = [this] {
    // A session that nobody needs brings nothing.
    return std::all_of(sources_.begin(), sources_.end(), [](const auto& source) {
      return source->connected() || source->options().session.pipelines.empty();
    });
  };
  retirement_ =
      std::make_unique<Retirement>(loop_, *tasks_, Ringers(), *log_, std::move(retirement));
  if (Status sources = MakeSources(); !sources.ok()) return sources;
  if (Status started = supervisor_->StartProcesses(); !started.ok()) return started;
  return WaitForBell();
}

void App::MakeSupervisor() {
  const DeviceLimits& limits = options_.device.limits;
  Supervisor::Options supervisor;
  supervisor.workers = WorkerCount(options_.device);
  supervisor.worker_executable = options_.worker_executable;
  supervisor.uplink_executable = options_.uplink_executable;
  supervisor.host.max_delay = limits.max_delay;
  supervisor.host.record_max = static_cast<std::uint64_t>(limits.record.bytes);
  supervisor.host.memory_max = kWorkerMemoryMax;
  supervisor.host.poison_text = options_.poison_text;
  supervisor.record_timeout = std::chrono::ceil<milliseconds>(limits.record_timeout);
  supervisor.uplink = MakeUplinkSettings(options_.device, *tasks_);
  supervisor_ = std::make_unique<Supervisor>(loop_, *tasks_, *board_, *log_, std::move(supervisor));
  supervisor_->on_uplink_message = [this](std::string_view line) { OnUplink(line); };
  // A worker that found its state damaged begins anew, and what it had not read is gone.
  supervisor_->on_restart = [this] {
    for (const auto& source : sources_) source->TellAgain();
  };
  supervisor_->on_quiet = [this] {
    for (const auto& source : sources_) source->ReArm();
  };
}

// The plan as a record: the task switches where it reads it.
void App::TellPlans() {
  for (std::size_t i = 0; i < tasks_->pipelines().size(); ++i) {
    if (!tasks_->pipelines()[i].retired) plans_->Send(i);
  }
}

Status App::MakeSources() {
  StallWatch::Options stalls;
  stalls.now = CoarseWallClock;
  stalls.hold = [this](bool held, Time since) {
    for (const auto& source : sources_) source->Hold(held, since);
  };
  stalls_ = std::make_unique<StallWatch>(loop_, *tasks_, *log_, std::move(stalls));
  control_ = std::make_unique<PahoControl>();
  std::vector<SourcePlan> plans = PlanSources(options_.device, *tasks_);
  places_ = PlacesOf(options_.device, *tasks_, plans);
  for (const auto& places : places_) {
    const std::string& broker = places.first;
    const bool asks = std::any_of(plans.begin(), plans.end(),
                                  [&](const SourcePlan& plan) { return plan.broker == broker; });
    RememberPlaces(broker, asks ? Remember::kBesideOthers : Remember::kAlone);
  }
  for (SourcePlan& plan : plans) {
    Source::Options options;
    options.broker = plan.broker;
    options.mqtt = std::move(plan.mqtt);
    options.session = std::move(plan.session);
    options.dispatcher.max_delay = options_.device.limits.max_delay;
    options.dispatcher.now = CoarseWallClock;
    options.dispatcher.room_bell = &board_->room_bell();
    options.dispatcher.on_wait = [this](std::size_t pipeline, bool waiting) {
      asio::post(loop_, [this, pipeline, waiting] {
        ticker_->SetWaiting(pipeline, waiting);
        if (waiting) stalls_->Noticed();
      });
    };
    options.dispatcher.on_activity = [this] {
      asio::post(loop_, [this] { supervisor_->Watch(); });
    };
    options.on_subscribed = [this, broker = plan.broker] {
      const bool all = std::all_of(sources_.begin(), sources_.end(), [&](const auto& source) {
        return source->subscribed() || source->options().broker != broker;
      });
      if (all) RememberPlaces(broker, Remember::kAlone);
    };
    Result<std::unique_ptr<Source>> source =
        Source::Create(loop_, *control_, *tasks_, Ringers(), *log_, std::move(options));
    if (!source.ok()) return source.error();
    sources_.push_back(std::move(source).value());
  }
  return {};
}

void App::RememberPlaces(const std::string& broker, Remember how) {
  const auto found = places_.find(broker);
  if (found == places_.end()) return;
  Status remembered = RememberSessions(options_.device, broker, found->second, how);
  if (!remembered.ok()) log_->Warn(remembered.error().message);
}

void App::OnReady() {
  for (const auto& source : sources_) source->Start();
  OnBell();
  retirement_->Start();
  const auto plural = [](std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  const std::vector<RunningPipeline>& pipelines = tasks_->pipelines();
  const auto wanted = std::count_if(pipelines.begin(), pipelines.end(),
                                    [](const RunningPipeline& one) { return !one.retired; });
  const std::string status = plural(static_cast<std::size_t>(wanted), "pipeline") + ", " +
                             plural(WorkerCount(options_.device), "worker");
  log_->Info("ready: " + status);
  notifier_.Send("READY=1\nSTATUS=" + status + "\n");
  FeedWatchdog();
  GiveBackStartupMemory();
}

void App::FeedWatchdog() {
  if (notifier_.watchdog_interval().count() == 0 || stopping_) return;
  if (supervisor_->MakesProgress()) {
    notifier_.Send("WATCHDOG=1");
  } else {
    log_->Warn("a worker makes no progress; the watchdog is not fed");
  }
  watchdog_.expires_after(notifier_.watchdog_interval());
  watchdog_.async_wait([this](const asio::error_code& error) {
    if (!error) FeedWatchdog();
  });
}

Status App::WaitForBell() {
  board_->daemon_word().GoToSleep();
  for (const int fd : board_->daemon_bell().fds()) {
    Result<Fd> own = Duplicate(fd);
    if (!own.ok()) return own.error();
    bell_.push_back(std::make_unique<asio::posix::stream_descriptor>(loop_, own.value().Release()));
    WaitFor(*bell_.back());
  }
  return {};
}

void App::WaitFor(asio::posix::stream_descriptor& bell) {
  bell.async_wait(asio::posix::stream_descriptor::wait_read,
                  [this, &bell](const asio::error_code& error) {
                    if (error) return;
                    OnBell();
                    WaitFor(bell);
                  });
}

// Somebody has work for the loop: records for a later stage, room in a journal, or an
// earlier deadline.
void App::OnBell() {
  board_->daemon_word().WakeUp();
  board_->daemon_bell().Clear();
  bool more = exchange_->Run();
  ticker_->Run();
  board_->daemon_word().GoToSleep();
  // What came while the word said awake: nobody has rung for it.
  more |= exchange_->HasMore();
  if (more) board_->daemon_bell().Ring();
}

void App::OnUplink(std::string_view line) {
  const std::string_view kind = line.substr(0, line.find(' '));
  const std::string text(line.substr(std::min(line.size(), kind.size() + 1)));
  if (kind == "up") {
    log_->Info("upstream `" + text + "`: connected");
  } else if (kind == "error") {
    log_->Error("uplink: " + text);
  } else {
    const std::string broker = text.substr(0, text.find(' '));
    log_->Warn("upstream `" + broker +
               "`: " + text.substr(std::min(text.size(), broker.size() + 1)));
  }
}

void App::WaitForSignals() {
  signals_.async_wait([this](const asio::error_code& error, int signal) {
    if (error) return;
    log_->Info(std::string("stopping: SIG") + sigabbrev_np(signal));
    BeginStop();
  });
}

// What is in the journals can be worked off and saved as long as these processes live.
void App::WatchRuntime() {
  const std::string& runtime = options_.device.runtime;
  Result<std::unique_ptr<FolderWatch>> watch =
      FolderWatch::Create(loop_, runtime, "tasks", [this, runtime] {
        log_->Error("stopping: somebody has removed `" + runtime +
                    "` or what is in it; saving the journals below `" + options_.device.state +
                    "`, for the next start");
        exit_code_ = 1;
        BeginStop();
      });
  if (!watch.ok()) return log_->Warn(watch.error().message);
  runtime_watch_ = std::move(watch).value();
}

void App::BeginStop() {
  if (stopping_) return;
  stopping_ = true;
  if (runtime_watch_ != nullptr) runtime_watch_->Stop();
  if (stalls_ != nullptr) stalls_->Stop();
  if (lookups_ != nullptr) lookups_->Stop();
  if (plans_ != nullptr) plans_->Stop();
  if (retirement_ != nullptr) retirement_->Stop();
  notifier_.Send("STOPPING=1\nSTATUS=draining\n");
  bool clean = true;
  ticker_->Stop();
  for (const auto& source : sources_) clean &= source->Stop(Clock::now() + kGoodbye);
  // A message that waits for room stays unacknowledged: the broker sends it again.
  must_exit_hard_ = !clean;
  stop_deadline_ = Clock::now() + kDrain;
  WaitUntilDrained();
}

void App::WaitUntilDrained() {
  exchange_->Run();
  const bool drained =
      exchange_->Drained() &&
      std::all_of(tasks_->tasks().begin(), tasks_->tasks().end(),
                  [](const RunningTask& task) { return !task.journal->HasUnread(); });
  if (drained || Clock::now() > stop_deadline_) return StopWorkers();
  timer_.expires_after(kDrainLook);
  timer_.async_wait([this](const asio::error_code&) { WaitUntilDrained(); });
}

void App::StopWorkers() {
  supervisor_->StopWorkers(kWorkersEnd, [this] { StopUplink(); });
}

void App::StopUplink() {
  supervisor_->StopUplink(kUplinkEnd, [this] { Finish(); });
}

void App::Save() {
  const Result<std::size_t> removed = tasks_->SaveRemoved();
  Status saved = SaveTasks(options_.device.runtime, options_.device.state);
  if (!removed.ok()) saved = removed.error();
  if (!saved.ok()) {
    log_->Error("saving the state: " + saved.error().message);
    exit_code_ = 1;
  } else if (removed.value() > 0) {
    log_->Warn("somebody has removed the journals of " + std::to_string(removed.value()) +
               (removed.value() == 1 ? " task" : " tasks") + "; what was in them is saved");
    exit_code_ = 1;
  }
}

void App::Finish() {
  Save();
  Summary();
  log_->Info("stopped");
  // Paho holds on to a message that could not be taken; nothing else is left to do.
  if (must_exit_hard_) _exit(exit_code_);
  sources_.clear();
  watchdog_.cancel();
  signals_.cancel();
  bell_.clear();
  loop_.stop();
}

// As `runnel status` has it. What has ended was said when it did.
void App::Summary() {
  std::set<std::string> folders;
  for (const RunningTask& task : tasks_->tasks()) {
    const std::string folder = task.id.PipelineFolder();
    if (task.gone || !folders.insert(folder).second) continue;
    std::string problem;
    PipelineReport report =
        ReadPipelineReport(PipelineFolder(options_.device.runtime, task.id), problem);
    if (!problem.empty()) log_->Warn(problem);
    const bool ends = tasks_->pipelines()[task.pipeline].retired;
    log_->Info(folder + (ends ? " (not ended yet): " : ": ") + report.Line());
  }
}

}  // namespace runnel
