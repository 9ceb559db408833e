// Progress: how far a run is, on standard error: a bar on a terminal, lines elsewhere.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace runnel {

class Progress final {
 public:
  enum class Style : std::uint8_t { kNone, kBar, kLines };
  explicit Progress(Style style) : style_(style), begun_(Clock::now()) {}

  // `done` of `total` bytes (0: nobody knows), of which `rows` are settled; `phase` says
  // what is being done. Prints where it is time to.
  void Show(const char* phase, std::uint64_t done, std::uint64_t total, std::uint64_t rows,
            const std::vector<pid_t>& workers);
  // Wipes the bar.
  void End();
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  Style style_;
  Clock::time_point begun_;
  Clock::time_point shown_{};
  bool on_screen_ = false;
};

// `done` of `total`, at most all of it: files may have grown since their sizes were asked for.
double PartOf(std::uint64_t done, std::uint64_t total);
// That with a bar, ` [######......]  50 %`, or without.
std::string PartText(double part, Progress::Style style);
// `24,000,000`.
std::string Grouped(std::uint64_t number);
// Proportional set size of this process and `workers`, in bytes.
std::uint64_t MemoryOf(const std::vector<pid_t>& workers);

}  // namespace runnel
