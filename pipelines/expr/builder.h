// Builder: makes the nodes of an Ast and bounds its depth.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/expr/ast.h"
#include "pipelines/expr/cursor.h"

namespace runnel::expr {

class Builder final {
 public:
  // No node: after an error.
  static constexpr std::uint32_t kNone = UINT32_MAX;
  using Operands = std::span<const std::uint32_t>;

  Builder(Cursor& cursor, int depth_max) : cursor_(cursor), depth_max_(depth_max) {}

  ExprNode& node(std::uint32_t index) { return ast_.nodes[index]; }
  Ast Take() { return std::move(ast_); }

  // Adds a node; none when an operand is none or the tree is too deep.
  std::uint32_t Add(ExprNode node, Operands operands) {
    node.first = static_cast<std::uint32_t>(ast_.children.size());
    node.count = static_cast<std::uint32_t>(operands.size());
    for (const std::uint32_t operand : operands) {
      if (operand == kNone) return kNone;
      node.depth = std::max(node.depth, ast_.nodes[operand].depth + 1);
    }
    if (node.depth > static_cast<std::uint32_t>(depth_max_) * kChainFactor) {
      return StopTooDeep(node.at);
    }
    ast_.children.insert(ast_.children.end(), operands.begin(), operands.end());
    ast_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(ast_.nodes.size() - 1);
  }
  std::uint32_t Add(Op op, std::size_t at, std::initializer_list<std::uint32_t> operands) {
    return Add(Make(op, at), Operands(operands.begin(), operands.size()));
  }
  std::uint32_t Constant(const Value& value, std::size_t at) {
    ExprNode node = Make(Op::kConstant, at);
    node.constant = value;
    return Add(std::move(node), {});
  }
  static ExprNode Make(Op op, std::size_t at) {
    ExprNode node;
    node.op = op;
    node.at = at;
    return node;
  }
  // Text that lives as long as the tree.
  std::string_view Keep(std::string text) {
    ast_.texts.push_back(std::make_unique<std::string>(std::move(text)));
    return *ast_.texts.back();
  }
  std::uint32_t StopTooDeep(std::size_t at) {
    cursor_.Stop(at,
                 "the expression is nested deeper than " + std::to_string(depth_max_) + " levels");
    return kNone;
  }

 private:
  // A chain such as a + b + c + … is a tree as deep as it is long; it may be longer
  // than brackets may be deep.
  static constexpr std::uint32_t kChainFactor = 4;

  Cursor& cursor_;
  const int depth_max_;
  Ast ast_;
};

}  // namespace runnel::expr
