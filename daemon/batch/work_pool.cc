#include "daemon/batch/work_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

using namespace batch;
using Clock = std::chrono::steady_clock;

constexpr int kDeathsMax = 8;         // of a task, for no reason of its own
constexpr std::size_t kSkipMax = 64;  // rows of a task that kill
constexpr int kPollMilliseconds = 200;

bool HasRows(const Job& job) {
  return job.kind == JobKind::kProbe || job.kind == JobKind::kMap ||
         job.kind == JobKind::kPartition;
}

}  // namespace

char* WorkPool::SlotAt(std::size_t slot) const {
  return reinterpret_cast<char*>(slots_.data()) + slot * options_.slot_bytes;
}

std::string_view WorkPool::OutOf(const Worker& worker, const Reply& reply) const {
  return {reinterpret_cast<const char*>(worker.out.data()) + PageSize(), reply.bytes};
}

Status WorkPool::MakeMemory(const std::string& spec) {
  spec_ = spec;
  Result<Fd> spec_fd = MakeMemoryFile("runnel-pipeline", spec.size());
  if (!spec_fd.ok()) return spec_fd.error();
  spec_fd_ = std::move(spec_fd).value();
  if (pwrite(spec_fd_.get(), spec.data(), spec.size(), 0) != static_cast<ssize_t>(spec.size())) {
    return Errno("keeping the pipeline for the workers");
  }
  if (slots_fd_.valid()) return {};
  const std::size_t slots = options_.workers + 1;
  Result<Fd> slots_fd = MakeMemoryFile("runnel-slots", slots * options_.slot_bytes);
  if (!slots_fd.ok()) return slots_fd.error();
  slots_fd_ = std::move(slots_fd).value();
  Result<Fd> read_only = Reopen(slots_fd_.get(), O_RDONLY);
  if (!read_only.ok()) return read_only.error();
  slots_read_fd_ = std::move(read_only).value();
  Result<Mapping> mapped =
      Mapping::Map(slots_fd_.get(), 0, slots * options_.slot_bytes, Access::kWrite);
  if (!mapped.ok()) return mapped.error();
  slots_ = std::move(mapped).value();
  return {};
}

Status WorkPool::Start(const std::string& spec) {
  workers_.clear();
  if (Status made = MakeMemory(spec); !made.ok()) return made;
  for (std::size_t i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    if (Status started = StartWorker(i); !started.ok()) return started;
  }
  return {};
}

Status WorkPool::StartWorker(std::size_t index) {
  Worker& worker = *workers_[index];
  if (!worker.out_fd.valid()) {
    Result<Fd> out_fd = MakeMemoryFile("runnel-out", PageSize() + kOutBytes);
    if (!out_fd.ok()) return out_fd.error();
    worker.out_fd = std::move(out_fd).value();
    Result<Mapping> out =
        Mapping::Map(worker.out_fd.get(), 0, PageSize() + kOutBytes, Access::kRead);
    if (!out.ok()) return out.error();
    worker.out = std::move(out).value();
  }
  worker.child.reset();
  worker.ready = worker.overdue = false;
  worker.waits.reset();
  Result<ChildProcess> child =
      ChildProcess::Start(options_.executable, {std::to_string(getpid()), "batch"});
  if (!child.ok()) return child.error();
  worker.child.emplace(std::move(child).value());
  // One that is dead already is seen by its pidfd.
  if (!SendSetup(worker).ok()) worker.child->Kill(SIGKILL);
  return {};
}

Status WorkPool::SendSetup(Worker& worker) {
  Setup setup;
  setup.spec_bytes = spec_.size();
  setup.slot_bytes = options_.slot_bytes;
  setup.slots = options_.workers + 1;
  setup.region_bytes = options_.region_bytes;
  setup.poison_text = options_.poison_text;
  return worker.child->channel().Send(setup.Encode(),
                                      {spec_fd_.get(), slots_read_fd_.get(), worker.out_fd.get()});
}

std::vector<pid_t> WorkPool::pids() const {
  std::vector<pid_t> pids;
  for (const auto& worker : workers_) {
    if (worker->child.has_value()) pids.push_back(worker->child->pid());
  }
  return pids;
}

bool WorkPool::IsIdle() const {
  return prepared_.empty() && held_.empty() &&
         std::none_of(workers_.begin(), workers_.end(),
                      [](const auto& worker) { return worker->task.has_value(); });
}

Status WorkPool::Run(WorkPhase& phase) {
  free_slots_.clear();
  for (std::size_t i = 0; i <= options_.workers; ++i) free_slots_.push_back(i);
  prepared_.clear();
  held_.clear();
  next_fill_ = next_commit_ = phase.first();
  exhausted_ = stopped_ = false;
  for (;;) {
    if (Status filled = FillSlots(phase); !filled.ok()) return filled;
    if (Status sent = Dispatch(phase); !sent.ok()) return sent;
    if (exhausted_ && IsIdle()) return {};
    if (Status waited = Wait(phase); !waited.ok() || stopped_) return waited;
    if (options_.tick) options_.tick();
  }
}

// One task is ready while all workers are busy; none goes far ahead of what is settled.
bool WorkPool::CanFill() const {
  return !exhausted_ && !free_slots_.empty() && prepared_.size() < 2 &&
         next_fill_ < next_commit_ + 2 * options_.workers + 2;
}

Status WorkPool::FillSlots(WorkPhase& phase) {
  if (!CanFill()) return {};
  Task task;
  task.number = next_fill_;
  task.slot = free_slots_.back();
  task.job.slot = task.slot;
  task.job.number = task.number;
  const Result<bool> filled = phase.Fill(task.number, 0, SlotAt(task.slot), task.job);
  if (!filled.ok()) return filled.error();
  if (!filled.value()) {
    exhausted_ = true;
    return {};
  }
  ++next_fill_;
  free_slots_.pop_back();
  prepared_.push_back(std::move(task));
  return {};
}

Status WorkPool::Dispatch(WorkPhase& phase) {
  for (const auto& worker : workers_) {
    if (prepared_.empty()) break;
    if (!worker->ready || worker->task.has_value()) continue;
    worker->task = std::move(prepared_.front());
    prepared_.pop_front();
    if (Status sent = SendPart(*worker, phase); !sent.ok()) return sent;
  }
  return {};
}

// A worker that is gone is seen by its pidfd.
Status WorkPool::SendPart(Worker& worker, WorkPhase&) {
  Task& task = *worker.task;
  task.job.careful = task.careful;
  task.job.skip = task.skip;
  worker.progress = 0;
  worker.moved = Clock::now();
  static_cast<void>(worker.child->channel().Send(task.job.Encode(), {}));
  return {};
}

Status WorkPool::Wait(WorkPhase& phase) {
  std::vector<pollfd> polled = {{options_.stop_fd, POLLIN, 0}};
  for (const auto& worker : workers_) {
    polled.push_back({worker->child->channel().fd(), POLLIN, 0});
    polled.push_back({worker->child->pidfd(), POLLIN, 0});
  }
  const bool more = CanFill();
  if (poll(polled.data(), polled.size(), more ? 0 : kPollMilliseconds) < 0 && errno != EINTR) {
    return Errno("waiting for workers");
  }
  if (polled[0].revents != 0) {
    stopped_ = true;
    return {};
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    // What a worker said last counts, even where it is dead by now.
    if ((polled[1 + 2 * i].revents & POLLIN) != 0) {
      if (Status handled = HandleReply(i, phase); !handled.ok()) return handled;
    } else if (polled[2 + 2 * i].revents != 0) {
      if (Status handled = HandleDeath(i, phase); !handled.ok()) return handled;
    }
  }
  CheckProgress();
  return {};
}

void WorkPool::CheckProgress() {
  const Clock::time_point now = Clock::now();
  for (const auto& worker : workers_) {
    // One that has just been started has its predecessor's task, and not begun on it.
    if (!worker->ready || !worker->task.has_value() || !HasRows(worker->task->job) ||
        worker->waits.has_value()) {
      continue;
    }
    const auto* page = reinterpret_cast<const OutPage*>(worker->out.data());
    const std::uint64_t progress = page->progress.load(std::memory_order_relaxed);
    if (progress != worker->progress) {
      worker->progress = progress;
      worker->moved = now;
    } else if (now - worker->moved > options_.row_timeout && !worker->overdue) {
      worker->overdue = true;
      worker->child->Kill(SIGKILL);
    }
  }
}

Status WorkPool::HandleReply(std::size_t index, WorkPhase& phase) {
  Worker& worker = *workers_[index];
  char bytes[kMessageMax];
  const ssize_t size = recv(worker.child->channel().fd(), bytes, sizeof bytes, MSG_DONTWAIT);
  Reply reply;
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (size <= 0) {
    worker.child->Kill(SIGKILL);  // it has closed its end; most likely it is gone
    return HandleDeath(index, phase);
  }
  if (!Reply::Decode({bytes, static_cast<std::size_t>(size)}, reply)) {
    worker.child->Kill(SIGKILL);  // what it says means nothing
    return {};
  }
  if (reply.kind == ReplyKind::kReady) {
    worker.ready = true;
    starts_failed_ = 0;
    return worker.task.has_value() ? SendPart(worker, phase) : Status();
  }
  if (!worker.task.has_value()) {
    worker.child->Kill(SIGKILL);
    return {};
  }
  if (reply.kind == ReplyKind::kFailed) return phase.Refused(worker.task->number, reply.text);
  worker.waits = std::move(reply);
  return HandleTurn(worker, phase);
}

// What a worker has said, where it is its turn; where it is not and all is said, it is kept.
Status WorkPool::HandleTurn(Worker& worker, WorkPhase& phase) {
  Task& task = *worker.task;
  const Reply reply = *worker.waits;
  const bool is_part = reply.kind == ReplyKind::kDone && !task.job.last;
  if (!HasTurn(task, phase) && !(is_part && reply.bytes == 0)) {
    if (reply.kind != ReplyKind::kDone || !task.job.last) return {};
    held_[task.number] = {std::string(OutOf(worker, reply)), task.taken, reply};
    free_slots_.push_back(task.slot);
    worker.task.reset();
    worker.waits.reset();
    return {};
  }
  worker.waits.reset();
  if (Status taken = TakeFrames(OutOf(worker, reply), task, phase); !taken.ok()) return taken;
  worker.moved = Clock::now();
  if (reply.kind == ReplyKind::kMore) {
    Job go_on;
    go_on.kind = JobKind::kGoOn;
    static_cast<void>(worker.child->channel().Send(go_on.Encode(), {}));
    return {};
  }
  if (!task.job.last) {
    ++task.part;
    const Result<bool> filled = phase.Fill(task.number, task.part, SlotAt(task.slot), task.job);
    if (!filled.ok()) return filled.error();
    task.job.first = false;
    return SendPart(worker, phase);
  }
  free_slots_.push_back(task.slot);
  Task done = std::move(task);
  worker.task.reset();
  return Finish(std::move(done), reply, phase);
}

Status WorkPool::TakeFrames(std::string_view frames, Task& task, WorkPhase& phase) {
  while (!frames.empty()) {
    Frame frame;
    if (!TakeFrame(frames, frame)) {
      return Error{ErrorKind::kGiveUp, "a worker has written what makes no sense"};
    }
    if (task.seen++ < task.taken) continue;  // as the one that died had given it
    ++task.taken;
    if (Status taken = phase.Take(task.number, frame); !taken.ok()) return taken;
  }
  return {};
}

Status WorkPool::Finish(Task task, const Reply& reply, WorkPhase& phase) {
  if (Status done = phase.Done(task.number, reply); !done.ok()) return done;
  ++next_commit_;
  return phase.in_order() ? CommitHeld(phase) : Status();
}

Status WorkPool::CommitHeld(WorkPhase& phase) {
  for (auto held = held_.find(next_commit_); held != held_.end(); held = held_.find(next_commit_)) {
    Task task;
    task.number = held->first;
    task.taken = held->second.passed;
    if (Status taken = TakeFrames(held->second.frames, task, phase); !taken.ok()) return taken;
    if (Status done = phase.Done(task.number, held->second.reply); !done.ok()) return done;
    held_.erase(held);
    ++next_commit_;
  }
  for (const auto& worker : workers_) {
    if (!worker->waits.has_value() || !HasTurn(*worker->task, phase)) continue;
    return HandleTurn(*worker, phase);
  }
  return {};
}

Status WorkPool::HandleDeath(std::size_t index, WorkPhase& phase) {
  Worker& worker = *workers_[index];
  const std::optional<ChildEnd> end = worker.child->TryReap();
  if (!end.has_value()) return {};
  ++restarts_;
  const auto* page = reinterpret_cast<const OutPage*>(worker.out.data());
  const std::uint64_t row = page->progress.load(std::memory_order_relaxed);
  const bool blamed = end->BlamesRecord() || worker.overdue;
  if (!worker.ready || !worker.task.has_value()) {
    if (!worker.ready && ++starts_failed_ > 4 * options_.workers) {
      return Error{ErrorKind::kGiveUp, "workers end at once: " + end->Describe()};
    }
    return StartWorker(index);
  }
  Task& task = *worker.task;
  if (blamed && HasRows(task.job) && task.careful) {
    task.skip.push_back(row);
  } else if (++task.deaths > kDeathsMax || (blamed && !HasRows(task.job) && task.deaths > 1)) {
    return Error{ErrorKind::kGiveUp,
                 "a worker has died again and again on one piece of the "
                 "input: " +
                     end->Describe()};
  }
  if (task.skip.size() > kSkipMax) {
    return Error{ErrorKind::kGiveUp,
                 "more than " + std::to_string(kSkipMax) + " rows of one chunk kill the worker"};
  }
  task.careful = task.careful || blamed;
  task.seen = 0;
  if (task.part > 0) {
    task.part = 0;
    task.job.first = true;
    const Result<bool> filled = phase.Fill(task.number, 0, SlotAt(task.slot), task.job);
    if (!filled.ok()) return filled.error();
  }
  return StartWorker(index);
}

}  // namespace runnel
