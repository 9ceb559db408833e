#include "daemon/service/log.h"

#include <unistd.h>

#include <string>

namespace runnel {

void Log::Write(std::string_view level, char priority, std::string_view text) {
  std::string line;
  if (style_ == Style::kJournald) {
    line = {'<', priority, '>'};
  } else {
    line.append(level).append(": ");
  }
  line.append(text).push_back('\n');
  const std::lock_guard lock(mutex_);
  // Nobody is left to tell when standard error is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace runnel
