// LoadAll: configuration and pipelines, read, compiled and checked against each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/commands/command_line.h"
#include "daemon/ingest/task_set.h"
#include "pipelines/spec/diagnostics.h"

namespace runnel {

struct Loaded {
  DeviceConfig device;
  std::vector<RunningPipeline> pipelines;
  std::vector<PipelineFile> files;  // of each
};

// nullopt after an error; everything wrong is in `diagnostics`.
std::optional<Loaded> LoadAll(const CommandLine& line, Diagnostics& diagnostics);
// Only runnel.yaml.
std::optional<DeviceConfig> LoadDevice(const CommandLine& line, Diagnostics& diagnostics);

}  // namespace runnel
