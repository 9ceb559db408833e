// Log: what the daemon tells the people who run it, on standard error.
//
// One line each, `warn: …`; under systemd with the priority prefix that journald
// understands (sd-daemon(3)). INFO: life of the daemon. WARN: something is not as
// configured, nothing is lost. ERROR: data is lost, or a human is needed. Any thread.
#pragma once

#include <mutex>
#include <string_view>

namespace runnel {

class Log final {
 public:
  enum class Style { kPlain, kJournald };
  explicit Log(Style style) : style_(style) {}

  void Info(std::string_view text) { Write("info", '6', text); }
  void Warn(std::string_view text) { Write("warn", '4', text); }
  void Error(std::string_view text) { Write("error", '3', text); }

 private:
  void Write(std::string_view level, char priority, std::string_view text);

  Style style_;
  std::mutex mutex_;  // keeps lines whole
};

}  // namespace runnel
