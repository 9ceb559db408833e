// BatchRun: one run of `runnel batch`, from the inputs to the output and the ledger.
#pragma once

#include "daemon/batch/options.h"

namespace runnel {

// The exit code: 0 done, 1 failed, 2 wrong usage, 130 and 143 after a signal.
int RunBatch(const BatchOptions& options);

}  // namespace runnel
