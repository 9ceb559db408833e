// Case: one test of CEL's conformance suite (SimpleTest of simple.proto), run.
#pragma once

#include <string>

#include "tests/conformance/textproto.h"

namespace runnel::conformance {

enum class Verdict { kPassed, kFailed, kSkipped };

struct Outcome {
  Verdict verdict = Verdict::kPassed;
  std::string expected;
  std::string got;  // skipped: the reason
};

Outcome RunCase(const Field& test);

}  // namespace runnel::conformance
