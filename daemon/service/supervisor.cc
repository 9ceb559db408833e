#include "daemon/service/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

using Clock = std::chrono::steady_clock;

// How long a worker may leave alone what waits for it: it asks nobody and waits for no network.
// Before systemd's watchdog, which looks every 10 s and ends all after 30, ends all.
constexpr std::chrono::milliseconds kStill{15'000};

// Descriptors of one task as a worker gets them: each a description of its own, so
// that the lock on the work file ends with the worker.
Result<TaskDescriptors> OpenForWorker(const RunningTask& task) {
  TaskDescriptors files;
  Result<Fd> in = Reopen(task.files.in.get(), O_RDONLY);
  if (!in.ok()) return in.error();
  Result<Fd> work = Reopen(task.files.work.get(), O_RDWR);
  if (!work.ok()) return work.error();
  Result<Fd> settle = Reopen(task.files.settle.get(), O_RDONLY);
  if (!settle.ok()) return settle.error();
  files.in = std::move(in).value();
  files.work = std::move(work).value();
  files.settle = std::move(settle).value();
  return files;
}

TaskSettings SettingsOf(const RunningTask& task, const TaskSet& set) {
  const RunningPipeline& pipeline = set.pipelines()[task.pipeline];
  TaskSettings settings;
  settings.id = task.id;
  settings.last_stage = task.last_stage;
  settings.appends = task.appends;
  settings.plan_fingerprint = pipeline.fingerprint;
  settings.plan = pipeline.encoded;
  return settings;
}

}  // namespace

Supervisor::Supervisor(asio::io_context& loop, TaskSet& tasks, Switchboard& board, Log& log,
                       Options options)
    : loop_(&loop),
      tasks_(&tasks),
      board_(&board),
      log_(&log),
      options_(std::move(options)),
      watch_(loop),
      running_(tasks.tasks().size()),
      fed_(tasks.tasks().size()) {
  for (std::size_t i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<Child>());
    workers_.back()->name = "worker " + std::to_string(i + 1);
    workers_.back()->timer = std::make_unique<asio::steady_timer>(loop);
  }
  uplink_.name = "uplink";
  uplink_.timer = std::make_unique<asio::steady_timer>(loop);
}

Supervisor::~Supervisor() = default;

Status Supervisor::StartProcesses() {
  for (std::size_t i = 0; i <= workers_.size(); ++i) {
    if (Status started = StartProcess(ChildAt(i), i); !started.ok()) return started;
  }
  return {};
}

Status Supervisor::Begin(std::function<void()> on_ready) {
  on_ready_ = std::move(on_ready);
  if (options_.workers == 0) {
    if (Status started = StartLocal(); !started.ok()) return started;
  }
  for (std::size_t i = 0; i <= workers_.size(); ++i) {
    if (Status sent = GiveWork(i); !sent.ok()) return sent;
  }
  return {};
}

Status Supervisor::StartLocal() {
  Assignment assignment;
  assignment.settings = options_.host;
  Result<HostLinks> links = board_->LinksOfWorker(0);
  if (!links.ok()) return links.error();
  assignment.links = std::move(links).value();
  for (const RunningTask& task : tasks_->tasks()) {
    if (task.gone) continue;
    Result<TaskDescriptors> files = OpenForWorker(task);
    if (!files.ok()) return files.error();
    assignment.tasks.push_back({SettingsOf(task, *tasks_), std::move(files).value()});
  }
  Result<std::unique_ptr<LocalHost>> local = LocalHost::Start(
      std::move(assignment), [log = log_](const Error& error) { log->Error(error.message); });
  if (!local.ok()) return local.error();
  local_ = std::move(local).value();
  return {};
}

Status Supervisor::StartProcess(Child& child, std::size_t index) {
  const std::string& executable =
      IsUplink(index) ? options_.uplink_executable : options_.worker_executable;
  Result<ChildProcess> process = ChildProcess::Start(executable, {std::to_string(getpid())});
  if (!process.ok()) return process.error();
  Result<Fd> death = Duplicate(process.value().pidfd());
  if (!death.ok()) return death.error();
  Result<Fd> channel = Duplicate(process.value().channel().fd());
  if (!channel.ok()) return channel.error();
  child.process.emplace(std::move(process).value());
  child.ready = false;
  child.timed_out = false;
  child.policy.Started(Clock::now());
  child.death.emplace(*loop_, death.value().Release());
  child.channel.emplace(*loop_, channel.value().Release());
  WaitForDeath(child, index);
  ReadChannel(child);
  return {};
}

Status Supervisor::GiveWork(std::size_t index) {
  return IsUplink(index) ? SendToUplink(uplink_) : SendToWorker(*workers_[index], index);
}

Status Supervisor::SendToWorker(Child& child, std::size_t index) {
  Result<HostLinks> links = board_->LinksOfWorker(index);
  if (!links.ok()) return links.error();
  Channel& channel = child.process->channel();
  if (Status sent = SendHost(channel, options_.host, links.value()); !sent.ok()) return sent;
  for (const RunningTask& task : tasks_->tasks()) {
    if (task.worker != index || task.gone) continue;
    Result<TaskDescriptors> files = OpenForWorker(task);
    if (!files.ok()) return files.error();
    if (Status sent = SendTask(channel, SettingsOf(task, *tasks_), files.value()); !sent.ok()) {
      return sent;
    }
  }
  return SendGo(channel);
}

Status Supervisor::SendToUplink(Child& child) {
  Result<Switchboard::UplinkLinks> links = board_->LinksOfUplink();
  if (!links.ok()) return links.error();
  Channel& channel = child.process->channel();
  if (Status sent = SendUplinkSettings(channel, options_.uplink, links.value().own_page.get(),
                                       links.value().own_bell);
      !sent.ok()) {
    return sent;
  }
  for (const RunningTask& task : tasks_->tasks()) {
    if (!task.last_stage || task.gone) continue;
    Result<Fd> work = Reopen(task.files.work.get(), O_RDONLY);
    if (!work.ok()) return work.error();
    Result<Fd> settle = Reopen(task.files.settle.get(), O_RDWR);
    if (!settle.ok()) return settle.error();
    const std::size_t worker = workers_.empty() ? 0 : task.worker;
    if (Status sent = SendUplinkTask(channel, task.id, task.pipeline, work.value().get(),
                                     settle.value().get(), links.value().worker_bells[worker]);
        !sent.ok()) {
      return sent;
    }
  }
  return SendUplinkGo(channel);
}

void Supervisor::WaitForDeath(Child& child, std::size_t index) {
  child.death->async_wait(asio::posix::stream_descriptor::wait_read,
                          [this, &child, index](const asio::error_code& error) {
                            if (!error) Died(child, index);
                          });
}

void Supervisor::ReadChannel(Child& child) {
  child.channel->async_wait(
      asio::posix::stream_descriptor::wait_read, [this, &child](const asio::error_code& error) {
        if (error) return;
        std::array<char, 4096> bytes;
        const ssize_t size =
            recv(child.channel->native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (size <= 0) return;  // its death is seen through the pidfd
        if (!child.ready) {
          child.ready = true;
          if (&child == &uplink_) uplink_liveness_.Begins(board_->UplinkRounds());
          CheckReady();
        } else if (&child == &uplink_ && on_uplink_message) {
          on_uplink_message({bytes.data(), static_cast<std::size_t>(size)});
        }
        ReadChannel(child);
      });
}

void Supervisor::CheckReady() {
  const bool all = uplink_.ready && std::all_of(workers_.begin(), workers_.end(),
                                                [](const auto& child) { return child->ready; });
  if (all && on_ready_) std::exchange(on_ready_, nullptr)();
}

void Supervisor::Died(Child& child, std::size_t index) {
  const pid_t pid = child.process->pid();
  const std::optional<ChildEnd> end = child.process->TryReap();
  if (!end.has_value()) return WaitForDeath(child, index);
  child.process.reset();
  child.death.reset();
  child.channel.reset();
  child.ready = false;
  if (child.stopping) {
    child.timer->cancel();
    if (child.stopped) std::exchange(child.stopped, nullptr)();
    return;
  }
  if (!IsUplink(index) && BlameRecord(*end, pid, child, index)) child.policy.Explained();
  log_->Warn(child.name + " ended with " + end->Describe() + "; it is started again");
  Restart(child, index);
}

// The worker is dead and its pages stand still: a turn that was running and a death
// that a record can cause belong together. A SIGKILL from outside blames nobody.
// Whether a record is skipped from now on.
bool Supervisor::BlameRecord(const ChildEnd& end, pid_t pid, const Child& child,
                             std::size_t index) {
  if (!end.BlamesRecord() && !child.timed_out) return false;
  bool skipped = false;
  for (const RunningTask& task : tasks_->tasks()) {
    if (task.worker != index) continue;
    const std::optional<Blame> blame = task.journal->BlameRunningTurn(pid, end.code);
    if (!blame.has_value()) continue;
    skipped |= blame->skipped;
    const std::string turn = "turn " + std::to_string(blame->turn) + " of `" + task.id.Name() + "`";
    if (blame->skipped) {
      log_->Error(turn + " has ended its worker " + std::to_string(blame->deaths) +
                  " times; its record goes to the dead letters");
    } else {
      log_->Warn(turn + " has ended its worker; the record is tried once more");
    }
  }
  return skipped;
}

void Supervisor::Restart(Child& child, std::size_t index) {
  child.timer->expires_after(child.policy.Died(Clock::now()));
  child.timer->async_wait([this, &child, index](const asio::error_code& error) {
    if (error || child.stopping) return;
    Status started = StartProcess(child, index);
    if (started.ok()) started = GiveWork(index);
    if (started.ok()) {
      if (on_restart && !IsUplink(index)) on_restart();
      return;
    }
    log_->Error("starting " + child.name + ": " + started.error().message);
    if (!child.process.has_value()) return Restart(child, index);
    child.process->Kill(SIGKILL);  // without its work it would wait for ever
  });
}

void Supervisor::Watch() {
  if (watching_) return;
  uplink_liveness_.Begins(board_->UplinkRounds());
  LookSoon();
}

void Supervisor::LookSoon() {
  watching_ = true;
  watch_.expires_after(options_.record_timeout / 2);
  watch_.async_wait([this](const asio::error_code& error) {
    watching_ = false;
    if (!error) Look();
  });
}

void Supervisor::Look() {
  const bool works = CheckHungRecords();
  const bool answers = CheckUplink();
  if (works || !answers) return LookSoon();
  if (on_quiet) on_quiet();
}

// Whether a worker has something to do.
bool Supervisor::CheckHungRecords() {
  bool busy = false;
  if (workers_.empty()) return busy;
  for (std::size_t i = 0; i < tasks_->tasks().size(); ++i) {
    const RunningTask& task = tasks_->tasks()[i];
    Child& child = *workers_[task.worker];
    const std::uint64_t turn =
        child.process.has_value() ? task.journal->TurnRunning(child.process->pid()) : 0;
    const bool unread = task.journal->HasUnread();
    busy |= turn != 0 || unread;
    const std::uint64_t consumed = task.journal->consumed();
    const bool rests = turn == 0 && (!unread || !child.ready || task.journal->WaitsForRoom());
    RunningTurn& seen = running_[i];
    if (rests || turn != seen.turn || consumed != seen.consumed) {
      seen = {turn, consumed, Clock::now()};
      continue;
    }
    if (Clock::now() - seen.since < (turn == 0 ? kStill : options_.record_timeout)) continue;
    KillHung(child, task, turn != 0);
    seen = {};
  }
  return busy;
}

void Supervisor::KillHung(Child& child, const RunningTask& task, bool in_turn) {
  if (in_turn) {
    log_->Warn(child.name + " has worked on one record of `" + task.id.Name() +
               "` for longer than limits.record_timeout; it is killed");
  } else {
    log_->Error(child.name + " has not looked at what waits for `" + task.id.Name() + "` for " +
                FormatDuration(kStill) + "; it is killed");
  }
  child.timed_out = in_turn;
  child.process->Kill(SIGKILL);
}

// Whether the uplink owes no sign of life.
bool Supervisor::CheckUplink() {
  if (!uplink_.process.has_value() || !uplink_.ready || uplink_.stopping) return true;
  switch (uplink_liveness_.Look(board_->UplinkRounds(), Clock::now())) {
    case Liveness::Verdict::kLives:
      return true;
    case Liveness::Verdict::kAsk:
      board_->uplink_bell().Ring();
      return false;
    case Liveness::Verdict::kWaits:
      return false;
    case Liveness::Verdict::kHangs:
      break;
  }
  log_->Error("the uplink has not moved for " + FormatDuration(Liveness::kPatience) +
              "; it is killed");
  uplink_.process->Kill(SIGKILL);
  return true;
}

bool Supervisor::MakesProgress() {
  bool moving = true;
  for (std::size_t i = 0; i < tasks_->tasks().size(); ++i) {
    const InJournal& journal = *tasks_->tasks()[i].journal;
    const std::uint64_t consumed = journal.consumed();
    const bool unread = journal.HasUnread();
    const bool still = unread && fed_[i].unread && consumed == fed_[i].consumed;
    if (still && !journal.WaitsForRoom() && !IsRestarting(i)) moving = false;
    fed_[i] = {consumed, unread};
  }
  return moving;
}

bool Supervisor::IsRestarting(std::size_t task) const {
  return !workers_.empty() && !workers_[tasks_->tasks()[task].worker]->process.has_value();
}

void Supervisor::Stop(Child& child, std::chrono::milliseconds deadline) {
  child.stopping = true;
  child.timer->cancel();
  if (!child.process.has_value()) {
    if (child.stopped) std::exchange(child.stopped, nullptr)();
    return;
  }
  shutdown(child.process->channel().fd(), SHUT_RDWR);
  child.timer->expires_after(deadline);
  child.timer->async_wait([this, &child](const asio::error_code& error) {
    if (error || !child.process.has_value()) return;
    log_->Warn(child.name + " did not end in time; it is killed");
    child.process->Kill(SIGKILL);
  });
}

void Supervisor::StopWorkers(std::chrono::milliseconds deadline, std::function<void()> done) {
  watch_.cancel();
  if (local_ != nullptr) local_->Stop();
  auto left = std::make_shared<std::size_t>(workers_.size());  // shared by the callbacks below
  if (*left == 0) return done();
  for (const auto& child : workers_) {
    child->stopped = [left, done] {
      if (--*left == 0) done();
    };
  }
  for (const auto& child : workers_) Stop(*child, deadline);
}

void Supervisor::StopUplink(std::chrono::milliseconds deadline, std::function<void()> done) {
  uplink_.stopped = std::move(done);
  Stop(uplink_, deadline);
}

}  // namespace runnel
