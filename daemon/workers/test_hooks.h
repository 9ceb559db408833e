// Test hooks: ways to make a worker die on a marked record, in builds for tests alone.
#pragma once

#ifdef RUNNEL_TEST_HOOKS

#include <cstdlib>
#include <string_view>

namespace runnel {

// Aborts on a payload with `text` in it; with `HANG:text` it never comes back.
inline void DieOfPoison(std::string_view payload, std::string_view text) {
  const bool hang = text.starts_with("HANG:");
  if (hang) text.remove_prefix(5);
  if (text.empty() || payload.find(text) == std::string_view::npos) return;
  if (!hang) std::abort();
  for (volatile bool forever = true; forever;) {
  }
}

}  // namespace runnel

#endif
