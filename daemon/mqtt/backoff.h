// Backoff: how long to wait before the next attempt to connect.
//
// Doubles from `first` to `cap` and takes a random part of the upper half, so that the
// devices of a site do not come back all at once. Asks no clock; same seed, same delays.
#pragma once

#include <chrono>
#include <cstdint>

namespace runnel {

class Backoff final {
 public:
  struct Options {
    std::chrono::milliseconds first{1'000};
    std::chrono::milliseconds cap{30'000};
  };

  Backoff(Options options, std::uint64_t seed);

  // Between half of the current step and the step; the next step is twice as long.
  std::chrono::milliseconds Next();
  // The next step is the first one again.
  void Reset() { step_ = options_.first; }
  // The next step is the longest: somebody else wants the same session.
  void Yield() { step_ = options_.cap; }

 private:
  std::uint64_t Random();

  Options options_;
  std::chrono::milliseconds step_;
  std::uint64_t state_;
};

}  // namespace runnel
