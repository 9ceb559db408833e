// AggregateCompiler: the `aggregate:` map of a window, as columns of a WindowPlan.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/operators/operator.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

class AggregateCompiler final {
 public:
  AggregateCompiler(StepContext& context, WindowPlan& plan) : context_(context), plan_(plan) {}

  // `name: mean(temp)`, or `name: { aggregate: mean(temp), filter: ok }`. Appends a column
  // and what it needs of arguments. False after an error.
  bool Add(const std::string& name, const Node& node);

 private:
  struct Call;

  bool Fail(const Position& position, std::string message, std::string hint = {});
  std::string HintFor(const Call& call) const;
  bool CompileCall(const std::string& text, const Position& position, AggregateColumn& column);
  bool ReadParameters(const Call& call, std::size_t from, const Position& position,
                      std::vector<double>& parameters);
  int Arguments(const Call& call, int count, const AggregateSpec& spec, const Position& position);
  int Argument(const std::string& text, const Position& position);
  static std::optional<Call> Split(std::string_view text);

  StepContext& context_;
  WindowPlan& plan_;
  std::size_t offset_ = 0;            // of the next column's state
  std::map<std::string, int> known_;  // arguments by their text: each is evaluated once
};

}  // namespace runnel
