#include "pipelines/expr/checker.h"

#include "pipelines/base/arena.h"
#include "pipelines/expr/evaluator.h"
#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

bool Number(Type type) {
  return type == Type::kInt || type == Type::kUint || type == Type::kDouble;
}

std::string_view SymbolOf(Op op) {
  switch (op) {
    case Op::kAdd: return "+";
    case Op::kSubtract: return "-";
    case Op::kMultiply: return "*";
    case Op::kDivide: return "/";
    case Op::kModulo: return "%";
    case Op::kLess: return "<";
    case Op::kLessEqual: return "<=";
    case Op::kGreater: return ">";
    case Op::kGreaterEqual: return ">=";
    case Op::kEqual: return "==";
    case Op::kNotEqual: return "!=";
    case Op::kAnd: return "&&";
    case Op::kOr: return "||";
    default: return "";
  }
}

// Whether the operands can ever go together; where a type is not known, yes.
bool Fits(Op op, Type a, Type b) {
  if (a == Type::kMissing || b == Type::kMissing) {
    const Type known = a == Type::kMissing ? b : a;
    if (known == Type::kMissing) return true;
    if (op == Op::kSubtract || op == Op::kMultiply || op == Op::kDivide || op == Op::kModulo) {
      return Number(known) || (op == Op::kSubtract && known == Type::kTimestamp) ||
             (op == Op::kSubtract && known == Type::kDuration);
    }
    return known != Type::kNull || op == Op::kEqual || op == Op::kNotEqual;
  }
  switch (op) {
    case Op::kAdd:
      return (Number(a) && Number(b)) ||
             (a == b && (a == Type::kString || a == Type::kBytes || a == Type::kList));
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
      return Number(a) && Number(b);
    case Op::kModulo:
      return a == b && (a == Type::kInt || a == Type::kUint);
    case Op::kEqual:
    case Op::kNotEqual:
      return a == b || (Number(a) && Number(b)) || a == Type::kNull || b == Type::kNull;
    default:
      return (Number(a) && Number(b)) ||
             (a == b && (a == Type::kString || a == Type::kBytes || a == Type::kBool ||
                         a == Type::kTimestamp || a == Type::kDuration));
  }
}

class Checker final {
 public:
  Checker(Ast& ast, std::string_view text, const Place& place, Diagnostics& diagnostics)
      : ast_(ast), text_(text), place_(place), diagnostics_(diagnostics), arena_(4096) {}

  bool Run() {
    // Children stand before their parents.
    for (std::uint32_t i = 0; i < ast_.nodes.size(); ++i) {
      CheckNode(ast_.nodes[i]);
      if (ok_) Fold(i);
    }
    return ok_;
  }

 private:
  Type TypeOf(const ExprNode& node, int operand) const {
    return ast_.nodes[node.operands[operand]].type;
  }
  void Fail(std::size_t at, std::string message, std::string hint = {}) {
    diagnostics_.Error(place_.At(text_, at), std::move(message), std::move(hint));
    ok_ = false;
  }

  void CheckNode(ExprNode& node) {
    switch (node.op) {
      case Op::kConstant: node.type = node.constant.type(); return;
      case Op::kField:
      case Op::kSelect:
      case Op::kIndex: return;
      case Op::kHas:
      case Op::kIn: node.type = Type::kBool; return;
      case Op::kList: node.type = Type::kList; return;
      case Op::kMap: node.type = Type::kMap; return;
      case Op::kCall: node.type = node.function->result; return;
      case Op::kNot: return CheckNot(node);
      case Op::kNegate: return CheckNegate(node);
      case Op::kTernary: return CheckTernary(node);
      case Op::kAnd:
      case Op::kOr: return CheckLogic(node);
      default: return CheckBinary(node);
    }
  }

  void NeedBool(const ExprNode& node, int operand, std::string_view symbol) {
    const Type type = TypeOf(node, operand);
    if (type == Type::kMissing || type == Type::kBool) return;
    Fail(ast_.nodes[node.operands[operand]].at,
         "`" + std::string(symbol) + "` takes bool, found " + std::string(TypeName(type)));
  }
  void CheckNot(ExprNode& node) {
    NeedBool(node, 0, "!");
    node.type = Type::kBool;
  }
  void CheckNegate(ExprNode& node) {
    const Type type = TypeOf(node, 0);
    if (type != Type::kMissing && type != Type::kInt && type != Type::kDouble) {
      Fail(node.at, "`-` takes a number, found " + std::string(TypeName(type)));
    }
    node.type = type;
  }
  void CheckTernary(ExprNode& node) {
    NeedBool(node, 0, "?");
    if (TypeOf(node, 1) == TypeOf(node, 2)) node.type = TypeOf(node, 1);
  }
  void CheckLogic(ExprNode& node) {
    NeedBool(node, 0, SymbolOf(node.op));
    NeedBool(node, 1, SymbolOf(node.op));
    node.type = Type::kBool;
  }
  void CheckBinary(ExprNode& node) {
    const Type left = TypeOf(node, 0);
    const Type right = TypeOf(node, 1);
    if (!Fits(node.op, left, right)) {
      const auto name = [](Type type) {
        return type == Type::kMissing ? std::string("a field") : std::string(TypeName(type));
      };
      Fail(node.at, "`" + std::string(SymbolOf(node.op)) + "` does not go with " + name(left) +
                        " and " + name(right));
    }
    const bool arithmetic = node.op >= Op::kAdd && node.op <= Op::kModulo;
    if (!arithmetic) {
      node.type = Type::kBool;
    } else if (left != Type::kMissing && right != Type::kMissing) {
      node.type = left == right ? left : Type::kDouble;
    }
  }

  // Operators and calls whose operands are all constants.
  void Fold(std::uint32_t index) {
    ExprNode& node = ast_.nodes[index];
    const bool foldable = node.op == Op::kNot || node.op == Op::kNegate ||
                          (node.op >= Op::kAdd && node.op <= Op::kGreaterEqual) ||
                          node.op == Op::kAnd || node.op == Op::kOr || node.op == Op::kTernary;
    if (!foldable) return;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      if (ast_.nodes[node.operands[i]].op != Op::kConstant) return;
    }
    arena_.Reset();
    std::uint32_t cost = 100;
    const Record none(no_fields_);
    Value value = Evaluate(ast_, index, none, arena_, cost);
    if (value.IsError()) {
      return Fail(node.at, "this is an error whatever the record: " + std::string(value.Reason()));
    }
    if (value.type() == Type::kList || value.type() == Type::kMap) return;
    if (value.type() == Type::kString || value.type() == Type::kBytes) {
      ast_.texts.push_back(std::make_unique<std::string>(value.AsString()));
      value = value.type() == Type::kString ? Value::String(*ast_.texts.back())
                                            : Value::Bytes(*ast_.texts.back());
    }
    node.op = Op::kConstant;
    node.constant = value;
    node.type = value.type();
    node.count = 0;
  }

  Ast& ast_;
  std::string_view text_;
  const Place& place_;
  Diagnostics& diagnostics_;
  Arena arena_;
  FieldTable no_fields_;
  bool ok_ = true;
};

}  // namespace

bool Check(Ast& ast, std::string_view text, const Place& place, Diagnostics& diagnostics) {
  return Checker(ast, text, place, diagnostics).Run();
}

}  // namespace runnel::expr
