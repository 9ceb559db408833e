// BatchPlanOf: what a batch run of CSV with these aggregates by device and minute compiles to.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "pipelines/batch/batch_plan.h"

inline std::unique_ptr<const runnel::BatchPlan> BatchPlanOf(const std::string& aggregates) {
  runnel::Diagnostics diagnostics;
  const auto file = runnel::ReadPipeline(
      "decode: csv\ntimestamp: ts\nsteps:\n  - window: { tumbling: 1m, key: device, aggregate: { " +
          aggregates + " } }\n",
      "p.yaml", {}, {}, diagnostics);
  runnel::BatchSpec spec;
  spec.pipeline = file->root;
  runnel::Registry registry;
  runnel::RegisterAll(registry);
  return runnel::CompileBatch(spec, registry, diagnostics);
}
