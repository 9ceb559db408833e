// KillAtEveryStep: what a kill -9 leaves behind, for each instruction it may come at.
//
// A child does the action one instruction at a time. Whenever the bytes that outlive it
// are others than before, they are shown: a successor must be able to go on from there.
// Nothing is left to chance; a gap of one store is found as surely as a long one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace runnel::testing {

struct Stepping {
  // In the child, which has a copy of all that the parent has. No assertions of gtest.
  std::function<void()> action;
  // Shared mappings of the files that outlive the child.
  std::vector<std::span<const std::byte>> left_behind;
  // In the parent, while the child stands still: before the first instruction, and behind
  // each that changed something.
  std::function<void()> look;
};

struct Stepped {
  std::uint64_t steps = 0;   // instructions, or system calls
  std::uint64_t states = 0;  // that were looked at
};

// Stops at the first state in which `look` failed. A failure of the test, too, when the
// child cannot be traced or does not end by itself.
Stepped KillAtEveryStep(const Stepping& stepping);
// The same for an action that makes, renames and writes the files of `folder`: a step is a
// system call, and `look` is called behind each that has changed one.
Stepped KillAtEveryCall(std::function<void()> action, const std::string& folder,
                        std::function<void()> look);

}  // namespace runnel::testing
