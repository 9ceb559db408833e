// Function: a function of the expression language, declared in one table line.
//
// The tables stand beside the evaluators (numbers.cc, texts.cc, …). The types of
// arguments are checked before an evaluator is called, when the expression is
// compiled or when it is evaluated.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/value/record.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

class RegexCache;

// A set of types that an argument may have.
class Types final {
 public:
  constexpr Types() = default;
  constexpr Types(std::initializer_list<Type> types) {
    for (const Type type : types) bits_ |= 1u << static_cast<unsigned>(type);
  }
  constexpr bool Has(Type type) const { return (bits_ >> static_cast<unsigned>(type) & 1u) != 0; }
  constexpr std::uint32_t bits() const { return bits_; }

 private:
  std::uint32_t bits_ = 0;
};

inline constexpr Types kAnyType = {Type::kNull,   Type::kBool,      Type::kInt,      Type::kUint,
                                   Type::kDouble, Type::kString,    Type::kBytes,    Type::kList,
                                   Type::kMap,    Type::kTimestamp, Type::kDuration, Type::kType};
inline constexpr Types kNumberType = {Type::kInt, Type::kUint, Type::kDouble};
inline constexpr Types kIntType = {Type::kInt};
inline constexpr Types kTextType = {Type::kString};
inline constexpr Types kListType = {Type::kList};

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
  // Instead of it, of functions that keep regular expressions compiled.
  Value (*with_regexes)(RegexCache& cache, std::span<const Value> arguments) = nullptr;

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
