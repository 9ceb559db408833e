// Function: a function of the expression language, declared in one table line.
//
// The tables stand beside the evaluators (numbers.cc, texts.cc, …). The types of
// arguments are checked before an evaluator is called, when the expression is
// compiled or when it is evaluated.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/expr/types.h"
#include "pipelines/value/record.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

struct Program;

inline constexpr const char* kNoOverload = "no_such_overload";
inline constexpr const char* kOutOfMemory = "out_of_memory";

struct Function {
  std::string_view name;
  // A receiver function is called as x.name(…): x is the first argument. Some are
  // both: name(x) too.
  enum class Style : std::uint8_t { kGlobal, kReceiver, kBoth } style;
  std::uint8_t arguments_min;
  std::uint8_t arguments_max;  // with the receiver
  std::array<Types, 3> types;  // of the arguments; the last one's is that of all behind it
  Type result;                 // kMissing: depends on the arguments
  Value (*evaluate)(std::span<const Value> arguments, Arena& arena);
  std::string_view signature;
  std::string_view description;
  // Instead of `evaluate`, of functions that look at the record itself.
  Value (*of_record)(const Record& record, std::span<const Value> arguments,
                     Arena& arena) = nullptr;
  // Instead of it, of functions that need what the program keeps: regular expressions, zones.
  Value (*of_program)(const Program& program, std::span<const Value> arguments) = nullptr;

  constexpr Types TypesOf(std::size_t argument) const {
    return types[argument < types.size() ? argument : types.size() - 1];
  }
};
inline constexpr std::size_t kArgumentsMax = 8;

// All functions, sorted by name and signature.
std::vector<const Function*> Functions();
// The function of that name that takes so many arguments, or nullptr.
const Function* FindFunction(std::string_view name, bool receiver, std::size_t arguments);

// The tables, each beside its evaluators.
std::span<const Function> NumberFunctions();
std::span<const Function> TextFunctions();
std::span<const Function> ConversionFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> MathFunctions();
std::span<const Function> StringFunctions();
std::span<const Function> FormatFunctions();
std::span<const Function> RegexFunctions();
std::span<const Function> RecordFunctions();

}  // namespace runnel::expr
