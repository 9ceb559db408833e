// Config: runnel.yaml and the pipeline files of one device, read and checked as
// text; what the pipelines mean is checked where they are compiled.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/device.h"
#include "config/environment.h"
#include "config/yaml.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

struct PipelineFile {
  std::string path;
  std::string name;  // `name:`, or of the file
  Node root;         // a map; variables are resolved
};

struct Config {
  DeviceConfig device;
  bool device_is_right = true;          // otherwise `device` has the defaults
  std::vector<PipelineFile> pipelines;  // by path within a folder; at most kPipelinesMax

  static constexpr std::size_t kPipelinesMax = 256;
};

struct LoadOptions {
  std::string device_file;  // -c; empty: `device_file_default`, where there is one
  std::string device_file_default = "/etc/runnel/runnel.yaml";
  std::vector<std::string> pipelines;  // files and folders instead of `pipelines:`
  Environment environment;
  YamlLimits limits;
};

// Reads everything. Folders give their *.yaml and *.yml by name, without hidden
// ones. A relative path in runnel.yaml counts from its folder. Where nobody has
// named a folder of pipelines, it may be missing. nullopt after an error; all
// errors are in `diagnostics`.
std::optional<Config> LoadConfig(const LoadOptions& options, Diagnostics& diagnostics);

// What can be read in spite of errors, for those who go on to look for more of them.
Config ReadConfig(const LoadOptions& options, Diagnostics& diagnostics);

// Only runnel.yaml. nullopt after an error.
std::optional<DeviceConfig> LoadDeviceConfig(const LoadOptions& options, Diagnostics& diagnostics);

// One pipeline from text, for tests and `runnel check -`. With a name that is an error and
// empty here the rest is still read, for those who look for more errors.
std::optional<PipelineFile> ReadPipeline(std::string_view text, const std::string& path,
                                         const Environment& environment, const YamlLimits& limits,
                                         Diagnostics& diagnostics);

// `room-climate`: [a-z0-9][a-z0-9-]{0,62}.
bool IsPipelineName(std::string_view name);

}  // namespace runnel
