// Sandbox: what a worker gives up before it sees its first record.
//
// A record may find a bug in a decoder. After EnterSandbox the process can compute,
// ring bells and exit; it cannot open, connect, execute, trace or gain privileges.
// Any other system call kills it with SIGSYS, which blames the record in progress.
#pragma once

#include <cstdint>

#include "pipelines/base/result.h"

namespace runnel {

struct SandboxLimits {
  std::uint64_t memory_max = 0;  // bytes of addresses beyond what is mapped now
};

// For the whole process. REQUIRES: single-threaded; everything needed is open.
Status EnterSandbox(const SandboxLimits& limits);

}  // namespace runnel
