#include "daemon/batch/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace runnel {
namespace {

constexpr std::size_t kBarCells = 24;

std::string Clocked(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

std::uint64_t PssOf(const std::string& process) {
  std::ifstream file("/proc/" + process + "/smaps_rollup");
  std::string word;
  std::uint64_t kilobytes = 0;
  while (file >> word) {
    if (word != "Pss:") continue;
    file >> kilobytes;
    break;
  }
  return kilobytes * 1024;
}

}  // namespace

std::string Grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::uint64_t MemoryOf(const std::vector<pid_t>& workers) {
  std::uint64_t bytes = PssOf("self");
  for (const pid_t worker : workers) bytes += PssOf(std::to_string(worker));
  return bytes;
}

double PartOf(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return 0;
  return static_cast<double>(std::min(done, total)) / static_cast<double>(total);
}

std::string PartText(double part, Progress::Style style) {
  std::string text;
  if (style == Progress::Style::kBar) {
    const auto full = static_cast<std::size_t>(part * static_cast<double>(kBarCells));
    text += " [" + std::string(full, '#') + std::string(kBarCells - full, '.') + "]";
  }
  char percent[16];
  std::snprintf(percent, sizeof percent, " %3.0f %%", 100 * part);
  return text + percent;
}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

void Progress::Show(const char* phase, std::uint64_t done, std::uint64_t total, std::uint64_t rows,
                    const std::vector<pid_t>& workers) {
  if (style_ == Style::kNone) return;
  const Clock::time_point now = Clock::now();
  const auto pause =
      style_ == Style::kBar ? std::chrono::milliseconds(250) : std::chrono::seconds(5);
  if (now - (shown_ == Clock::time_point{} ? begun_ : shown_) < pause) return;
  shown_ = now;
  const double passed = seconds();
  const double part = PartOf(done, total);
  std::string text = phase;
  if (total > 0) text += PartText(part, style_);
  char rate[96];
  std::snprintf(rate, sizeof rate, "  %s rows  %.1f M rows/s  %.0f MiB", Grouped(rows).c_str(),
                static_cast<double>(rows) / passed / 1e6,
                static_cast<double>(MemoryOf(workers)) / (1 << 20));
  text += rate;
  if (part > 0.01) text += "  left " + Clocked(passed / part - passed);
  if (style_ == Style::kBar) {
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    on_screen_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

void Progress::End() {
  if (on_screen_) std::fputs("\r\x1b[K", stderr);
  on_screen_ = false;
}

}  // namespace runnel
