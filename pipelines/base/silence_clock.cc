#include "pipelines/base/silence_clock.h"

#include <algorithm>
#include <bit>

namespace runnel {

void SilenceClock::Stop(std::uint32_t source, std::int64_t since) {
  const std::uint64_t bit = std::uint64_t{1} << source;
  since_[source] = (standing_ & bit) != 0 ? std::min(since_[source], since) : since;
  standing_ |= bit;
  SetStandsSince();
}

void SilenceClock::GoOn(std::uint32_t source, std::int64_t until) {
  const std::uint64_t bit = std::uint64_t{1} << source;
  if ((standing_ & bit) == 0) return;
  standing_ &= ~bit;
  SetStandsSince();
  LeaveOut(since_[source], until);
}

void SilenceClock::KeepSources(std::uint32_t sources) {
  if (sources < kSources) standing_ &= (std::uint64_t{1} << sources) - 1;
  SetStandsSince();
}

void SilenceClock::SetStandsSince() {
  stands_since_ = kForever;
  for (std::uint64_t rest = standing_; rest != 0; rest &= rest - 1) {
    stands_since_ = std::min(stands_since_, since_[std::countr_zero(rest)]);
  }
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
    count_ -= static_cast<std::uint64_t>(behind - first) - 1;
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

// Joins the one whose length is the smallest part of the time since the end of the next. The
// latest two stay: no time is since then.
void SilenceClock::MakeRoom() {
  const std::int64_t now = standstills_[count_ - 1].to;
  const auto part = [&](const Standstill* one) {
    return static_cast<double>(one->to - one->from) / static_cast<double>(now - one[1].to);
  };
  Standstill* joined = standstills_;
  for (Standstill* one = standstills_ + 1; one != standstills_ + count_ - 2; ++one) {
    if (part(one) < part(joined)) joined = one;
  }
  joined[1].from -= joined->to - joined->from;
  std::copy(joined + 1, standstills_ + count_, joined);
  --count_;
}

std::int64_t SilenceClock::DueAt(std::int64_t last, std::int64_t silence, std::int64_t grid) const {
  std::int64_t due = last + silence;
  for (std::uint64_t i = 0; i < count_; ++i) {
    const Standstill& one = standstills_[i];
    if (one.to <= last) continue;
    if (one.from >= due) break;
    due += one.to - std::max(one.from, last);
  }
  if (standing_ != 0 && stands_since_ < due) return kForever;
  return (due + grid - 1) / grid * grid;
}

}  // namespace runnel
