// Function: a function of the expression language, declared in one table line.
#pragma once

#include <span>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

struct Function {
  std::string_view name;
  // `receiver` functions are called as x.name(...): x is the first argument. Many are
  // both: name(x) too.
  enum class Style { kGlobal, kReceiver, kBoth } style;
  int arguments_min;
  int arguments_max;  // with the receiver
  Type result;        // kMissing: depends on the arguments
  Value (*evaluate)(std::span<const Value> arguments, Arena& arena);
  std::string_view signature;
  std::string_view description;
};

// All functions, sorted by name.
std::span<const Function> Functions();
// The function of that name that takes so many arguments, or nullptr.
const Function* FindFunction(std::string_view name, bool receiver, std::size_t arguments);

}  // namespace runnel::expr
