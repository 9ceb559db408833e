#include "daemon/uplink/suspicion.h"

#include <unistd.h>

#include <charconv>
#include <utility>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::size_t kFileMax = 4'096;

// Takes the number off that `text` begins with, and the blank behind it.
std::uint32_t TakeNumber(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

}  // namespace

Suspicion::Suspicion(std::string file, std::uint32_t passed_max)
    : file_(std::move(file)), passed_max_(passed_max) {
  const Result<std::string> content = ReadFile(file_, kFileMax);
  if (!content.ok()) return;
  std::string_view text = content.value();
  SetConnections(TakeNumber(text));
  times_ = TakeNumber(text);
  suspect_ = text;
}

void Suspicion::SetConnections(std::uint32_t connections) {
  connections_ = connections;
  one_at_a_time_.store(connections >= kTimes, std::memory_order_relaxed);
}

bool Suspicion::MayGo(std::string_view id) {
  if (!OneAtATime()) return true;
  const std::lock_guard lock(mutex_);
  if (id == suspect_ && times_ >= kTimes) {
    Forget();
    return false;
  }
  latest_ = id;
  return true;
}

bool Suspicion::IsHeldUp() const {
  if (!OneAtATime()) return false;
  const std::lock_guard lock(mutex_);
  return latest_.empty() || times_ >= kTimes;
}

void Suspicion::Connected(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  connected_ = now;
  // The one before ended without anything on its way.
  if (!std::exchange(was_cut_off_, false) && !OneAtATime()) SetConnections(0);
}

void Suspicion::Acknowledged() {
  if (!OneAtATime()) return;
  const std::lock_guard lock(mutex_);
  latest_.clear();
  if (++passed_ >= passed_max_) Forget();
}

void Suspicion::CutOff(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(was_cut_off_, true)) return;
  if (now - connected_ >= kSoon) {
    // It is something else.
    if (!OneAtATime()) SetConnections(0);
  } else if (!OneAtATime()) {
    SetConnections(connections_ + 1);
  } else if (!latest_.empty()) {
    times_ = latest_ == suspect_ ? times_ + 1 : 1;
    suspect_ = latest_;
  }
}

void Suspicion::CutOffForGood(Clock::time_point now) {
  CutOff(now);
  const std::lock_guard lock(mutex_);
  if (connections_ == 0) return;
  const std::string text =
      std::to_string(connections_) + " " + std::to_string(times_) + " " + suspect_;
  static_cast<void>(WriteFileAtomically(file_, text).ok());
}

void Suspicion::Forget() {
  SetConnections(0);
  passed_ = 0;
  times_ = 0;
  suspect_.clear();
  latest_.clear();
  unlink(file_.c_str());
}

}  // namespace runnel
