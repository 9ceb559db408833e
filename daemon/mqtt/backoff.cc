#include "daemon/mqtt/backoff.h"

#include <algorithm>

namespace runnel {

Backoff::Backoff(Options options, std::uint64_t seed)
    : options_(options), step_(options.first), state_(seed) {}

std::chrono::milliseconds Backoff::Next() {
  const std::chrono::milliseconds half = step_ / 2;
  const auto spread = static_cast<std::uint64_t>((step_ - half).count()) + 1;
  const std::chrono::milliseconds delay =
      half + std::chrono::milliseconds(static_cast<std::int64_t>(Random() % spread));
  step_ = std::min(step_ * 2, options_.cap);
  return delay;
}

// SplitMix64 (Steele, Lea, Flood, 2014).
std::uint64_t Backoff::Random() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace runnel
