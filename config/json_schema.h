// JSON Schema (draft 2020-12) of pipeline files and of runnel.yaml, for editors.
#pragma once

#include <string>

#include "pipelines/plan/registry.h"

namespace runnel {

std::string PipelineSchema(const Registry& registry);
std::string DeviceSchema();

}  // namespace runnel
