// SilenceClock: when a key has been silent for so long, leaving out the time in which
// nothing could come in.
//
// The clock stands still while a source is away or held up. Of each standstill it keeps
// from when to when, so that a key that was heard of at any time, in any order, has exactly
// the time left out that lies behind it. Where there is no room for one more, one that is
// short beside the time since then is joined to the next with the sum of their lengths: no
// silence that still lasts is told earlier by that, and later by a small part of it (as in
// exponential histograms, Datar et al. 2002).
//
// Plain data inside a StateRegion, all zeros at first; times are microseconds since 1970.
#pragma once

#include <cstdint>

namespace runnel {

class SilenceClock final {
 public:
  static constexpr std::uint32_t kSources = 64;
  static constexpr std::uint32_t kStandstills = 32;
  static constexpr std::int64_t kForever = INT64_MAX;

  // All times are at least 0; a source is less than kSources.
  // Nothing comes from `source` from `since` on. It may stand already.
  void Stop(std::uint32_t source, std::int64_t since);
  // It comes again, since `until`.
  void GoOn(std::uint32_t source, std::int64_t until);
  // Nothing could come in meanwhile. Where there is no room for all, those that do not touch one
  // that is there come in the order of time.
  void LeaveOut(std::int64_t from, std::int64_t to);
  // There are so many sources: what others have said of themselves is forgotten.
  void KeepSources(std::uint32_t sources);

  // The first multiple of `grid` at which a key that was heard of at `last` has been silent for
  // `silence`; kForever where the clock stands before.
  std::int64_t DueAt(std::int64_t last, std::int64_t silence, std::int64_t grid = 1) const;

  // Whether bytes that somebody may have damaged can be used without harm.
  bool IsSane() const { return count_ <= kStandstills; }

 private:
  struct Standstill {
    std::int64_t from;
    std::int64_t to;
  };
  void SetStandsSince();
  void MakeRoom();

  std::uint64_t standing_;     // a bit for each source that stands
  std::int64_t stands_since_;  // the earliest of these
  std::uint64_t count_;
  Standstill standstills_[kStandstills];  // in order of time; they do not touch
  std::int64_t since_[kSources];          // of those that stand
};

}  // namespace runnel
