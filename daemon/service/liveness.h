// Liveness: whether a child whose loop counts its rounds still goes round.
//
// One that sleeps does not: it is rung for, and has to have gone round some time later. So
// nobody has to wake it who is at rest, and a stopped or stuck one is found where something
// happens. Deterministic: the caller passes the time.
#pragma once

#include <chrono>
#include <cstdint>

namespace runnel {

class Liveness final {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Verdict {
    kLives,
    kAsk,    // ring for it, and look again
    kWaits,  // it has been rung for; look again
    kHangs,
  };

  // How long an answer may take: name servers that do not answer hold Paho, and with it who
  // publishes, for half a minute.
  static constexpr std::chrono::seconds kPatience{60};
  // Something has happened: from here on it has to be seen moving.
  void Begins(std::uint64_t rounds) {
    rounds_ = rounds;
    asked_ = {};
  }
  Verdict Look(std::uint64_t rounds, Clock::time_point now) {
    if (rounds != rounds_) {
      Begins(rounds);
      return Verdict::kLives;
    }
    if (asked_ == Clock::time_point()) {
      asked_ = now;
      return Verdict::kAsk;
    }
    return now - asked_ < kPatience ? Verdict::kWaits : Verdict::kHangs;
  }

 private:
  std::uint64_t rounds_ = 0;
  Clock::time_point asked_{};  // since when it owes an answer
};

}  // namespace runnel
