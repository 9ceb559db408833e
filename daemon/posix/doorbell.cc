#include "daemon/posix/doorbell.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

void Silence(int fd) {
  std::uint64_t times;  // one read takes all of them
  [[maybe_unused]] const ssize_t size = ::read(fd, &times, sizeof times);
}

}  // namespace

Result<Doorbell> Doorbell::Create() {
  Fd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!event.valid() || !timer.valid()) return Errno("making a doorbell");
  return Doorbell(std::move(event), std::move(timer));
}

Result<Doorbell> Doorbell::Duplicate() const {
  Result<Fd> event = runnel::Duplicate(event_.get());
  if (!event.ok()) return event.error();
  Result<Fd> timer = runnel::Duplicate(timer_.get());
  if (!timer.ok()) return timer.error();
  return Doorbell(std::move(event).value(), std::move(timer).value());
}

void Doorbell::Ring() const {
  const std::uint64_t one = 1;  // a counter that is full has rung as well
  [[maybe_unused]] const ssize_t size = ::write(event_.get(), &one, sizeof one);
}

void Doorbell::RingAfter(std::chrono::nanoseconds delay) const {
  const std::int64_t nanoseconds = std::max<std::int64_t>(delay.count(), 1);  // 0 would disarm
  itimerspec when{};
  when.it_value.tv_sec = nanoseconds / 1'000'000'000;
  when.it_value.tv_nsec = nanoseconds % 1'000'000'000;
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Doorbell::Clear() const {
  for (const int fd : fds()) Silence(fd);
}

void Doorbell::Clear(const pollfd& event, const pollfd& timer) const {
  if (event.revents != 0) Silence(event_.get());
  if (timer.revents != 0) Silence(timer_.get());
}

void Ringer::RingFor(std::uint64_t sleep, std::chrono::nanoseconds delay) {
  // Whoever finds this sleep marked relies on the ring that follows.
  ended_.store(sleep, std::memory_order_relaxed);
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now - rings_.load(std::memory_order_relaxed) >= delay.count()) {
    rings_.store(now, std::memory_order_relaxed);
    bell_->Ring();
  } else {
    rings_.store(now + delay.count(), std::memory_order_relaxed);
    bell_->RingAfter(delay);
  }
}

}  // namespace runnel
