#include "pipelines/plan/partitioning.h"

#include <algorithm>
#include <utility>

namespace runnel {
namespace {

using Names = std::vector<std::string>;

bool Has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names Common(const Names& a, const Names& b) {
  Names common;
  std::copy_if(a.begin(), a.end(), std::back_inserter(common),
               [&](const std::string& name) { return Has(b, name); });
  return common;
}

}  // namespace

std::vector<StageLayout> Partition(const std::vector<StepKey>& steps, const Names& captures,
                                   std::uint32_t partitions) {
  std::vector<StageLayout> stages = {{0, partitions, {}}};
  Names unchanged = captures;  // still what the topic says
  bool keyed = false;          // a step of the stage has a key
  bool intact = true;          // no step has changed what the stage is spread by
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].key.has_value() && stages.back().tasks > 1) {
      const Names& key = *steps[i].key;
      StageLayout& stage = stages.back();
      const Names& before = stages.size() == 1 && !keyed ? unchanged : stage.spread_by;
      const Names common = Common(before, key);
      const bool first = stages.size() == 1;
      // The topic can be narrowed to what all keys of the stage have; a key cannot.
      const bool stays = intact && !common.empty() &&
                         (first ? Common(common, unchanged) == common : common == before);
      if (stays) {
        stage.spread_by = common;
      } else {
        stages.push_back({i, key.empty() ? 1 : partitions, key});
        intact = true;
      }
      keyed = true;
    }
    for (const std::string& name : steps[i].changes) {
      std::erase(unchanged, name);
      intact = intact && !Has(stages.back().spread_by, name);
    }
  }
  return stages;
}

}  // namespace runnel
