// Suspicion: finds the result for which a broker ends the connection.
//
// Such a result would be published again after each reconnect, and nothing else with it. So when
// connections end soon after they began, with results on their way, one behind the other, results
// are published one at a time, and one for which the connection ends three times is given up. A
// bad network ends connections too, but it takes longer to notice; and what is given up is a dead
// letter. Remembers it over the end of the process, for Paho may not outlive such a connection.
//
// Any thread, except where it says so. Failures to write its file are not told: then it takes
// longer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace runnel {

class Suspicion final {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kSoon{10};
  static constexpr std::uint32_t kTimes = 3;

  // `file` is read, and removed when there is no suspicion any more. `passed_max`: there is none
  // when so many have been acknowledged one at a time.
  Suspicion(std::string file, std::uint32_t passed_max);

  // Whether results go one at a time.
  bool OneAtATime() const { return one_at_a_time_.load(std::memory_order_relaxed); }
  // A result is about to be published; false: it is to be given up instead. The loop.
  bool MayGo(std::string_view id);
  // Whether what is still on its way keeps it from finding the one, or from giving it up.
  bool IsHeldUp() const;
  void Connected(Clock::time_point now);
  void Acknowledged();
  // The connection ended with results on their way: once or more for each connection.
  void CutOff(Clock::time_point now);
  // The same, and the process ends at once.
  void CutOffForGood(Clock::time_point now);

 private:
  void SetConnections(std::uint32_t connections);
  void Forget();

  mutable std::mutex mutex_;
  std::string file_;
  std::uint32_t passed_max_;
  std::atomic<bool> one_at_a_time_{false};
  Clock::time_point connected_{};
  bool was_cut_off_ = true;        // of this connection it is known
  std::uint32_t connections_ = 0;  // in a row that ended soon
  std::uint32_t passed_ = 0;       // acknowledged one at a time
  std::string latest_;             // the id of the result that went last, one at a time
  std::string suspect_;
  std::uint32_t times_ = 0;  // that the connection ended for it
};

}  // namespace runnel
