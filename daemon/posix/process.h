// Process: what the daemon and its children are to the system.
#pragma once

#include "pipelines/base/result.h"

namespace runnel {

// As many open files as the system lets this process have, and its children after it: a task takes
// four, and the usual limit of 1,024 is there for programs that use select(2).
void RaiseFileLimit();

// What others may send by mistake, or a log that nobody reads any more, does not end this process
// nor its children after it. Before any thread.
void IgnoreStraySignals();

// Whether whoever started this process wants it to live on without the terminal, as nohup does.
bool IgnoresHangUp();

// Ties this process to the life of `parent`: SIGKILL when it dies, at once if it has
// died already. SIGINT, SIGTERM and SIGHUP mean nothing to it: a terminal and others send them to
// all, and the parent decides. The first thing that a child does.
Status DieWithParent(int parent);

}  // namespace runnel
