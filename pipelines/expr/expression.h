// Expression: a CEL expression, parsed, checked and folded once, evaluated often.
//
// Identifiers are fields of the record: compiling one interns its name in the
// stage's FieldTable, so evaluation looks nothing up by name. Evaluation never
// throws, never blocks, is bounded by `cost_max` steps and allocates from the
// turn's Arena only (numbers and booleans: nothing). A wrong operand gives an
// error value with a literal reason, as CEL says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/zone.h"
#include "pipelines/expr/types.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/value/record.h"
#include "pipelines/value/value.h"

namespace runnel {
namespace expr {
struct Program;
}

// What an expression of one place may name.
struct Scope {
  FieldTable* fields = nullptr;  // where names are interned; outlives the expression
  // Named captures of the topic and names set by earlier steps are fields too.
  // If not empty: the only names there are (after a window: its key and aggregates,
  // `start` and `end`); any other is an error with did-you-mean.
  const std::vector<std::string>* known = nullptr;
  // Static types where known, in the order of `known`; kMissing: dynamic.
  const std::vector<Type>* types = nullptr;
  // Names that are functions in windows alone, for the message where one stands elsewhere.
  const std::vector<std::string_view>* aggregates = nullptr;
  // The time zones that may be named, beside offsets; outlive the expression.
  const ZoneTable* zones = nullptr;
  // A prefix such as `site.room` that a name is looked up behind first, as CEL has it.
  std::string_view container;
  // kStatic: operands whose types can never go together, and names that are not
  // known, are errors of the text. kDynamic: of the evaluation, as CEL without a
  // type check has it.
  enum class Typing : std::uint8_t { kStatic, kDynamic } typing = Typing::kStatic;
};

struct ExpressionLimits {
  std::size_t text_max = 16'384;     // bytes of source
  int depth_max = 64;                // nesting of the tree
  std::uint32_t cost_max = 100'000;  // steps of one evaluation
};

class Expression final {
 public:
  // Compiles `text`, whose first character stands at `position` of the
  // configuration; every error is added to `diagnostics` at its own column.
  // nullptr when there was an error.
  static std::unique_ptr<Expression> Compile(std::string_view text, const Position& position,
                                             const Scope& scope, Diagnostics& diagnostics,
                                             const ExpressionLimits& limits = {});
  ~Expression();
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  // The value for `record`; text and lists live in `arena`, the record or this.
  // One thread at a time per expression.
  Value Evaluate(const Record& record, Arena& arena) const;

  // The static type: kMissing when only the record knows; then what it may be.
  Type type() const;
  expr::Types possible() const;
  // The field's number when the expression is just a field's name, else -1.
  int AsField() const { return field_; }

 private:
  explicit Expression(std::unique_ptr<expr::Program> program);
  std::unique_ptr<expr::Program> program_;
  int field_ = -1;
};

}  // namespace runnel
