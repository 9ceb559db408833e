// Dead letter: how a record that could not be handled travels in a ring of outputs.
//
// The payload is a prefix (reason, stage, signal), then the original bytes.
#pragma once

#include <string>
#include <string_view>

#include "pipelines/base/result.h"
#include "pipelines/plan/pipeline.h"

namespace runnel {

struct DeadLetter {
  std::string_view reason;
  std::string_view stage;
  int signal = 0;
  std::string_view payload;
};

void AppendDeadLetterPrefix(const Output& output, std::string& bytes);
// Checks what another process has written; borrows `bytes`.
Result<DeadLetter> ParseDeadLetter(std::string_view bytes);

}  // namespace runnel
