// Registry: the operators and aggregates that there are, by name.
//
// Filled by RegisterAll from the .def lists, by main; no static constructors. Codecs
// have a table of their own (codecs/codecs.h), because they need no plan.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/operators/operator.h"

namespace runnel {

class Registry final {
 public:
  void Add(const OperatorSpec& spec) { operators_.emplace(spec.name, spec); }
  void Add(const AggregateSpec& spec) { aggregates_.emplace(spec.name, spec); }

  // nullptr when there is none of that name.
  const OperatorSpec* FindOperator(std::string_view name) const {
    const auto found = operators_.find(name);
    return found == operators_.end() ? nullptr : &found->second;
  }
  const AggregateSpec* FindAggregate(std::string_view name) const {
    const auto found = aggregates_.find(name);
    return found == aggregates_.end() ? nullptr : &found->second;
  }
  std::vector<std::string_view> OperatorNames() const { return Names(operators_); }
  std::vector<std::string_view> AggregateNames() const { return Names(aggregates_); }

 private:
  template <typename T>
  static std::vector<std::string_view> Names(const std::map<std::string_view, T>& specs) {
    std::vector<std::string_view> names;
    for (const auto& [name, spec] : specs) names.push_back(name);
    return names;
  }

  std::map<std::string_view, OperatorSpec> operators_;
  std::map<std::string_view, AggregateSpec> aggregates_;
};

// Every operator and aggregate of operators.def and aggregates.def.
void RegisterAll(Registry& registry);

}  // namespace runnel
