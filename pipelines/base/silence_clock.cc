#include "pipelines/base/silence_clock.h"

#include <algorithm>

namespace runnel {

void SilenceClock::Stop(std::int64_t since) {
  stands_since_ = stands_ != 0 ? std::min(stands_since_, since) : since;
  stands_ = 1;
}

void SilenceClock::GoOn(std::int64_t until) {
  if (stands_ == 0) return;
  stands_ = 0;
  LeaveOut(stands_since_, until);
}

void SilenceClock::LeaveOut(std::int64_t from, std::int64_t to) {
  if (from >= to) return;
  Standstill* const end = standstills_ + count_;
  // Those that it touches become one with it.
  Standstill* const first =
      std::find_if(standstills_, end, [&](const Standstill& one) { return one.to >= from; });
  Standstill* const behind =
      std::find_if(first, end, [&](const Standstill& one) { return one.from > to; });
  if (first != behind) {
    *first = {std::min(first->from, from), std::max(behind[-1].to, to)};
    std::copy(behind, end, first + 1);
    count_ -= static_cast<std::uint32_t>(behind - first) - 1;
    return;
  }
  if (count_ == kStandstills) {
    MakeRoom();
    return LeaveOut(from, to);
  }
  std::copy_backward(first, end, end + 1);
  *first = {from, to};
  ++count_;
}

void SilenceClock::MakeRoom() {
  Standstill* const last = standstills_ + count_ - 1;
  Standstill* const shortest = std::min_element(
      standstills_, last,
      [](const Standstill& a, const Standstill& b) { return a.to - a.from < b.to - b.from; });
  shortest[1].from -= shortest->to - shortest->from;
  std::copy(shortest + 1, last + 1, shortest);
  --count_;
}

std::int64_t SilenceClock::DueAt(std::int64_t last, std::int64_t silence) const {
  std::int64_t due = last + silence;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Standstill& one = standstills_[i];
    if (one.to <= last) continue;
    if (one.from >= due) break;
    due += one.to - std::max(one.from, last);
  }
  return stands_ != 0 && stands_since_ < due ? kForever : due;
}

}  // namespace runnel
