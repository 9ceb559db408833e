// What the tests of pipelines/batch share: a source of random numbers, and plans.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "config/config.h"
#include "pipelines/batch/batch_plan.h"
#include "pipelines/plan/registry.h"

namespace runnel {

inline std::mt19937_64 Source() {
  const auto seed = std::random_device()();
  ::testing::Test::RecordProperty("seed", static_cast<int>(seed));
  std::printf("seed %u\n", seed);
  return std::mt19937_64(seed);
}

inline std::unique_ptr<const BatchPlan> PlanOf(const std::string& text) {
  Diagnostics diagnostics;
  const auto file = ReadPipeline(text, "p.yaml", {}, {}, diagnostics);
  BatchSpec spec;
  spec.name = "p";
  spec.pipeline = file->root;
  Registry registry;
  RegisterAll(registry);
  std::unique_ptr<const BatchPlan> plan = CompileBatch(spec, registry, diagnostics);
  EXPECT_EQ(diagnostics.Format(), "");
  return plan;
}

}  // namespace runnel
