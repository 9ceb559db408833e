// RunBatchWorker: a worker process that does jobs for `runnel batch`.
//
// The same process as for the daemon, with the same sandbox: what it computes on is in
// slots that it cannot write, what it gives goes to its out area.
#pragma once

#include "daemon/posix/channel.h"

namespace runnel {

// Until the channel closes; gives the exit code.
int RunBatchWorker(Channel channel);

}  // namespace runnel
