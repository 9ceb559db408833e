// ExplainDevice: what the configuration amounts to: plans, guarantee, memory.
#pragma once

#include <string>
#include <vector>

#include "config/device.h"
#include "daemon/ingest/task_set.h"

namespace runnel {

// One text for `runnel explain`: each pipeline's plan, what is guaranteed and what
// weakens it, and the worst case of memory as one sum.
std::string ExplainDevice(const DeviceConfig& device,
                          const std::vector<RunningPipeline>& pipelines);

}  // namespace runnel
