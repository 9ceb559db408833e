#include "pipelines/expr/functions.h"

#include <algorithm>

namespace runnel::expr {
namespace {

// One line per table.
std::array<std::span<const Function>, 9> Tables() {
  return {NumberFunctions(), TextFunctions(),  ConversionFunctions(),
          TimeFunctions(),   MathFunctions(),  StringFunctions(),
          FormatFunctions(), RegexFunctions(), RecordFunctions()};
}

}  // namespace

std::vector<const Function*> Functions() {
  std::vector<const Function*> all;
  for (const std::span<const Function> table : Tables()) {
    for (const Function& function : table) all.push_back(&function);
  }
  std::sort(all.begin(), all.end(), [](const Function* a, const Function* b) {
    return a->name != b->name ? a->name < b->name : a->signature < b->signature;
  });
  return all;
}

const Function* FindFunction(std::string_view name, bool receiver, std::size_t arguments) {
  using enum Function::Style;
  for (const std::span<const Function> table : Tables()) {
    for (const Function& function : table) {
      if (function.name != name) continue;
      if (function.style == (receiver ? kGlobal : kReceiver)) continue;
      if (arguments >= function.arguments_min && arguments <= function.arguments_max) {
        return &function;
      }
    }
  }
  return nullptr;
}

}  // namespace runnel::expr
