// BuildHost: from what the daemon has handed over to a host that is ready to run.
#pragma once

#include <functional>
#include <memory>

#include "daemon/workers/protocol.h"

namespace runnel {

// Takes over every task of `assignment`. One that cannot be taken over is reported
// and left alone: its files stay as they are for a human. `registry` outlives the host.
Result<std::unique_ptr<Host>> BuildHost(Assignment assignment, const Registry& registry,
                                        const std::function<void(const Error&)>& report);

}  // namespace runnel
