#include "daemon/posix/doorbell.h"

#include <sys/timerfd.h>

#include <algorithm>

namespace runnel {

Result<Doorbell> Doorbell::Create() {
  Fd fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd.valid()) return Errno("making a doorbell");
  return Doorbell(std::move(fd));
}

void Doorbell::Ring(std::chrono::nanoseconds delay) const {
  const std::int64_t nanoseconds = std::max<std::int64_t>(delay.count(), 1);  // 0 would disarm
  itimerspec when{};
  when.it_value.tv_sec = nanoseconds / 1'000'000'000;
  when.it_value.tv_nsec = nanoseconds % 1'000'000'000;
  timerfd_settime(fd_.get(), 0, &when, nullptr);
}

void Doorbell::Clear() const {
  std::uint64_t expirations;  // one read takes all of them
  [[maybe_unused]] const ssize_t size = ::read(fd_.get(), &expirations, sizeof expirations);
}

}  // namespace runnel
