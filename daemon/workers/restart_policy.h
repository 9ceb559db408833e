// RestartPolicy: when a child that has died is started again.
//
// The first time at once; then after 100 ms, doubling up to 10 s, so that a child
// that dies at once cannot use up the machine. A child that lived for 30 s starts
// with a clean record; so does one whose cause of death is out of the way, but for the
// first wait, so that many such causes in a row hold up the rest only for so long.
// Deterministic: the caller passes the time.
#pragma once

#include <algorithm>
#include <chrono>

namespace runnel {

class RestartPolicy final {
 public:
  using Clock = std::chrono::steady_clock;

  void Started(Clock::time_point now) { started_ = now; }
  // How long to wait before the next start.
  std::chrono::milliseconds Died(Clock::time_point now) {
    if (now - started_ >= kStable) deaths_ = 0;
    ++deaths_;
    if (deaths_ == 1) return std::chrono::milliseconds(0);
    return std::min(kLongest, kFirst * (1 << std::min(deaths_ - 2, 10)));
  }
  // What ended the child will not do so again. Before Died().
  void Explained() { deaths_ = std::min(deaths_, 1); }
  // Deaths without a stable life in between.
  int deaths() const { return deaths_; }

 private:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kLongest{10'000};
  static constexpr std::chrono::seconds kStable{30};

  Clock::time_point started_{};
  int deaths_ = 0;
};

}  // namespace runnel
