#include "pipelines/expr/expression.h"

#include <optional>
#include <string>
#include <utility>

#include "pipelines/base/utf8.h"
#include "pipelines/expr/checker.h"
#include "pipelines/expr/lower.h"
#include "pipelines/expr/parser.h"
#include "pipelines/expr/program.h"

namespace runnel {
namespace {

// The place of the first byte that is not UTF-8, or the size.
std::size_t FirstBadByte(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t size = Utf8CharacterSize(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return at;
}

}  // namespace

Expression::Expression(std::unique_ptr<expr::Program> program) : program_(std::move(program)) {
  const expr::Node& root = program_->nodes[program_->root];
  if (root.code == expr::Code::kField) field_ = root.field;
}
Expression::~Expression() = default;

std::unique_ptr<Expression> Expression::Compile(std::string_view text, const Position& position,
                                                const Scope& scope, Diagnostics& diagnostics,
                                                const ExpressionLimits& limits) {
  const expr::Place place{position};
  if (text.size() > limits.text_max) {
    diagnostics.Error(
        position, "the expression is longer than " + std::to_string(limits.text_max) + " bytes");
    return nullptr;
  }
  if (const std::size_t bad = FirstBadByte(text); bad < text.size()) {
    diagnostics.Error(place.At(text, bad), "the expression is not UTF-8");
    return nullptr;
  }
  std::optional<expr::Ast> ast = expr::Parse(text, place, scope, limits, diagnostics);
  if (!ast.has_value()) return nullptr;
  const bool dynamic = scope.typing == Scope::Typing::kDynamic;
  if (!dynamic && !expr::Check(*ast, text, place, scope.zones, diagnostics)) return nullptr;
  std::unique_ptr<expr::Program> program =
      expr::Lower(std::move(*ast), text, place, scope, limits, diagnostics);
  if (program == nullptr) return nullptr;
  return std::unique_ptr<Expression>(new Expression(std::move(program)));
}

Value Expression::Evaluate(const Record& record, Arena& arena) const {
  return expr::Evaluate(*program_, program_->root, record, arena);
}

Type Expression::type() const { return program_->type; }
expr::Types Expression::possible() const { return program_->possible; }

}  // namespace runnel
