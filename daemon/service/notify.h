// Notifier: tells systemd how the service is (the protocol of sd_notify(3)).
//
// A datagram to the socket in NOTIFY_SOCKET; without one, nothing happens.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace runnel {

class Notifier final {
 public:
  // `socket` is the value of NOTIFY_SOCKET, empty for none; `watchdog_usec` that of
  // WATCHDOG_USEC.
  Notifier(std::string socket, std::string_view watchdog_usec);

  // `READY=1`, `STATUS=…`, `STOPPING=1`, `WATCHDOG=1`, or several in lines.
  void Send(std::string_view state) const;
  // How often to send WATCHDOG=1: a third of what systemd waits; zero for never.
  std::chrono::microseconds watchdog_interval() const { return watchdog_interval_; }
  bool active() const { return !socket_.empty(); }

 private:
  std::string socket_;
  std::chrono::microseconds watchdog_interval_{0};
};

}  // namespace runnel
