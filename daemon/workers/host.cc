#include "daemon/workers/host.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace runnel {
namespace {

// Turns of one task before the next one has its chance.
constexpr int kTurnsInARow = 256;
constexpr std::uint64_t kRoundsBeforeStopCheck = 64;

}  // namespace

std::chrono::nanoseconds ResultDelay(std::chrono::nanoseconds max_delay) {
  constexpr std::chrono::nanoseconds kMost = std::chrono::milliseconds(20);
  return std::max(max_delay, std::min(10 * max_delay, kMost));
}

Host::Host(HostLinks links, std::chrono::nanoseconds max_delay)
    : links_(std::move(links)), max_delay_(max_delay) {}

Result<std::unique_ptr<Host>> Host::Create(HostLinks links, std::chrono::nanoseconds max_delay) {
  std::unique_ptr<Host> host(new Host(std::move(links), max_delay));
  struct Page {
    Mapping* mapping;
    Fd* fd;
    Access access;
  };
  for (const Page& page : {Page{&host->own_page_, &host->links_.own_page, Access::kWrite},
                           Page{&host->uplink_page_, &host->links_.uplink_page, Access::kRead},
                           Page{&host->daemon_page_, &host->links_.daemon_page, Access::kRead}}) {
    Result<Mapping> mapped = Mapping::Map(page.fd->get(), 0, PageSize(), page.access);
    if (!mapped.ok()) return mapped.error();
    *page.mapping = std::move(mapped).value();
    page.fd->Close();
  }
  reinterpret_cast<SleepWord*>(host->own_page_.data())->Reset();
  host->uplink_ = std::make_unique<Ringer>(
      *reinterpret_cast<const SleepWord*>(host->uplink_page_.data()), host->links_.uplink_bell);
  host->daemon_ = reinterpret_cast<const DaemonPage*>(host->daemon_page_.data());
  host->exchange_ = std::make_unique<Ringer>(host->daemon_->sleep, host->links_.daemon_bell);
  return host;
}

void Host::Add(HostedTask task) {
  const auto place = std::find_if(tasks_.begin(), tasks_.end(), [&](const HostedTask& other) {
    return other.task->id().stage < task.task->id().stage;
  });
  tasks_.insert(place, std::move(task));
}

void Host::Run(const std::function<void(const Error&)>& report,
               const std::function<void()>& started) {
  report_ = report;
  bool starting = true;
  for (std::uint64_t rounds = 0; !stop_; ++rounds) {
    if (!Round()) {
      if (starting) started();
      starting = false;
      Sleep();
    }
    if (rounds % kRoundsBeforeStopCheck == 0) stop_ = stop_ || StopRequested();
  }
  for (HostedTask& hosted : tasks_) hosted.task->Checkpoint();
}

// REQUIRES: the task is one of those that are counted.
std::uint32_t Host::AppendsOf(const HostedTask& hosted) const {
  return daemon_->appends[hosted.appends].load(std::memory_order_acquire);
}

bool Host::MayHaveWork(HostedTask& hosted) const {
  return hosted.rests ? AppendsOf(hosted) != hosted.seen : hosted.task->CanWork();
}

bool Host::Round() {
  bool worked = false;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    HostedTask& hosted = tasks_[i];
    const bool counted = hosted.appends < DaemonPage::kTasksMax;
    const std::uint32_t appends = counted ? AppendsOf(hosted) : 0;
    if (hosted.rests && appends == hosted.seen) {
      // Others may keep this host from its sleep, where it checkpoints and announces.
      if (!hosted.announced) Announce(hosted);
      if (hosted.moved && hosted.task->RoomWaiters() != 0) CheckpointAndRing(hosted);
      continue;
    }
    Result<Task::Progress> progress = hosted.task->Run(kTurnsInARow);
    if (!progress.ok()) {
      // Its files stay as they are for a human; the other tasks go on.
      report_(progress.error());
      tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(i--));
      continue;
    }
    hosted.seen = appends;
    hosted.rests = counted && progress.value() == Task::Progress::kIdle;
    worked |= progress.value() == Task::Progress::kWorked;
    // One that is blocked now may have worked before.
    hosted.moved |= progress.value() != Task::Progress::kIdle;
    hosted.announced &= progress.value() == Task::Progress::kIdle;
    // One that is not counted never rests.
    if (progress.value() == Task::Progress::kIdle && !counted && !hosted.announced) {
      Announce(hosted);
    }
    if (hosted.task->TakePublished()) {
      if (hosted.last_stage) {
        uplink_->Notify(ResultDelay(max_delay_));
      } else {
        exchange_->Notify(max_delay_);
      }
    }
    // Results that wait for others must not make these wait.
    if (progress.value() == Task::Progress::kBlocked && hosted.last_stage) uplink_->Hurry();
    if (hosted.task->RoomWaiters() != 0) CheckpointAndRing(hosted);
  }
  return worked;
}

void Host::CheckpointAndRing(HostedTask& hosted) {
  hosted.moved = false;
  if (!hosted.task->Checkpoint()) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::uint32_t waiters = hosted.task->RoomWaiters();
  if ((waiters & kSourceWaits) != 0) links_.room_bell.Ring();
  if ((waiters & kExchangeWaits) != 0) links_.daemon_bell.Ring();
}

void Host::Announce(HostedTask& hosted) {
  hosted.announced = true;
  hosted.task->AnnounceDeadline();
  if (hosted.task->DeadlineIsEarlier()) links_.daemon_bell.Ring();
}

void Host::Sleep() {
  bool earlier = false;
  for (HostedTask& hosted : tasks_) {
    if (hosted.moved) CheckpointAndRing(hosted);
    if (hosted.announced) continue;
    hosted.announced = true;
    earlier |= hosted.task->DeadlineIsEarlier();
  }
  if (earlier) links_.daemon_bell.Ring();
  auto* word = reinterpret_cast<SleepWord*>(own_page_.data());
  word->GoToSleep();
  const bool work = std::any_of(tasks_.begin(), tasks_.end(),
                                [this](HostedTask& hosted) { return MayHaveWork(hosted); });
  if (work) {
    word->WakeUp();
    links_.own_bell.Clear();  // perhaps it was rung for in between
    return;
  }
  const auto [event, timer] = links_.own_bell.sources();
  pollfd sources[] = {{links_.stop.get(), POLLIN, 0}, event, timer};
  poll(sources, 3, -1);
  stop_ = sources[0].revents != 0;
  word->WakeUp();
  links_.own_bell.Clear(sources[1], sources[2]);
}

bool Host::StopRequested() const {
  pollfd source{links_.stop.get(), POLLIN, 0};
  return poll(&source, 1, 0) > 0;
}

}  // namespace runnel
