// Process: the tie between the daemon and its children.
#pragma once

#include "pipelines/base/result.h"

namespace runnel {

// Ties this process to the life of `parent`: SIGKILL when it dies, at once if it has
// died already. SIGINT and SIGTERM mean nothing to it: a terminal and others send them to all,
// and the parent decides. The first thing that a child does.
Status DieWithParent(int parent);

}  // namespace runnel
