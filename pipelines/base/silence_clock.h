// SilenceClock: when a key has been silent for so long, leaving out the time in which
// nothing could come in.
//
// The clock stands still while the source is away or held up. Of each standstill it keeps
// from when to when, so that a key that was heard of at any time, in any order, has exactly
// the time left out that lies behind it. There are always few of them: where there is no
// room for one more, the shortest is joined to the next with the sum of their lengths: no
// silence that still lasts is told earlier by that, and later by the shorter one at the most.
//
// Plain data inside a StateRegion, all zeros at first; times are microseconds since 1970.
#pragma once

#include <cstdint>

namespace runnel {

class SilenceClock final {
 public:
  static constexpr std::uint32_t kStandstills = 16;
  static constexpr std::int64_t kForever = INT64_MAX;

  // Nothing comes in from `since` on. The clock may stand already.
  void Stop(std::int64_t since);
  // It comes in again, since `until`.
  void GoOn(std::int64_t until);
  // Nothing could come in meanwhile. Where there is no room for all, those that do not touch one
  // that is there come in the order of time.
  void LeaveOut(std::int64_t from, std::int64_t to);

  // When a key that was heard of at `last` has been silent for `silence`; kForever where the
  // clock stands before.
  std::int64_t DueAt(std::int64_t last, std::int64_t silence) const;

 private:
  struct Standstill {
    std::int64_t from;
    std::int64_t to;
  };
  void MakeRoom();

  std::uint32_t stands_;  // 1: since stands_since_
  std::uint32_t count_;
  std::int64_t stands_since_;
  Standstill standstills_[kStandstills];  // in order of time; they do not touch
};

}  // namespace runnel
