#include "pipelines/expr/evaluator.h"

#include <array>
#include <cmath>
#include <cstring>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

constexpr const char* kNoOverload = "no_such_overload";
constexpr const char* kNoField = "no_such_field";
constexpr std::size_t kArgumentsMax = 8;

Value IntArithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd: overflow = __builtin_add_overflow(a, b, &result); break;
    case Op::kSubtract: overflow = __builtin_sub_overflow(a, b, &result); break;
    case Op::kMultiply: overflow = __builtin_mul_overflow(a, b, &result); break;
    default:
      if (b == 0) return Value::Error(op == Op::kDivide ? "divide_by_zero" : "modulus_by_zero");
      if (a == INT64_MIN && b == -1) return Value::Error("overflow");
      result = op == Op::kDivide ? a / b : a % b;
  }
  return overflow ? Value::Error("overflow") : Value::Int(result);
}

Value UintArithmetic(Op op, std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd: overflow = __builtin_add_overflow(a, b, &result); break;
    case Op::kSubtract: overflow = __builtin_sub_overflow(a, b, &result); break;
    case Op::kMultiply: overflow = __builtin_mul_overflow(a, b, &result); break;
    default:
      if (b == 0) return Value::Error(op == Op::kDivide ? "divide_by_zero" : "modulus_by_zero");
      result = op == Op::kDivide ? a / b : a % b;
  }
  return overflow ? Value::Error("overflow") : Value::Uint(result);
}

Value DoubleArithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd: return Value::Double(a + b);
    case Op::kSubtract: return Value::Double(a - b);
    case Op::kMultiply: return Value::Double(a * b);
    case Op::kDivide: return Value::Double(a / b);
    default: return Value::Error(kNoOverload);
  }
}

Value Concatenate(const Value& a, const Value& b, Arena& arena) {
  const std::string_view left = a.AsString();
  const std::string_view right = b.AsString();
  char* text = arena.AllocateArray<char>(left.size() + right.size());
  if (text == nullptr) return Value::Error("out_of_memory");
  std::memcpy(text, left.data(), left.size());
  std::memcpy(text + left.size(), right.data(), right.size());
  const std::string_view whole(text, left.size() + right.size());
  return a.type() == Type::kString ? Value::String(whole) : Value::Bytes(whole);
}

Value ConcatenateLists(const Value& a, const Value& b, Arena& arena) {
  const std::size_t size = a.AsList().size() + b.AsList().size();
  Value* items = arena.AllocateArray<Value>(size);
  if (items == nullptr) return Value::Error("out_of_memory");
  Value* end = std::copy(a.AsList().begin(), a.AsList().end(), items);
  std::copy(b.AsList().begin(), b.AsList().end(), end);
  return Value::List({items, size});
}

Value Arithmetic(Op op, const Value& a, const Value& b, Arena& arena) {
  if (a.IsError()) return a;
  if (b.IsError()) return b;
  if (a.IsNumber() && b.IsNumber()) {
    if (a.type() == b.type()) {
      if (a.type() == Type::kInt) return IntArithmetic(op, a.AsInt(), b.AsInt());
      if (a.type() == Type::kUint) return UintArithmetic(op, a.AsUint(), b.AsUint());
      return DoubleArithmetic(op, a.AsDouble(), b.AsDouble());
    }
    // Where CEL has no overload: the documented promotion to double.
    if (a.type() == Type::kDouble || b.type() == Type::kDouble) {
      return DoubleArithmetic(op, a.ToDouble(), b.ToDouble());
    }
    return Value::Error(kNoOverload);
  }
  if (op != Op::kAdd || a.type() != b.type()) return Value::Error(kNoOverload);
  if (a.type() == Type::kString || a.type() == Type::kBytes) return Concatenate(a, b, arena);
  if (a.type() == Type::kList) return ConcatenateLists(a, b, arena);
  return Value::Error(kNoOverload);
}

Value Relation(Op op, const Value& a, const Value& b) {
  if (a.IsError()) return a;
  if (b.IsError()) return b;
  const Order order = Compare(a, b);
  if (order == Order::kNone) {
    const bool numbers = a.IsNumber() && b.IsNumber();
    return numbers ? Value::Bool(false) : Value::Error(kNoOverload);
  }
  switch (op) {
    case Op::kLess: return Value::Bool(order == Order::kLess);
    case Op::kLessEqual: return Value::Bool(order != Order::kGreater);
    case Op::kGreater: return Value::Bool(order == Order::kGreater);
    default: return Value::Bool(order != Order::kLess);
  }
}

Value Negate(const Value& value) {
  if (value.IsError()) return value;
  if (value.type() == Type::kDouble) return Value::Double(-value.AsDouble());
  if (value.type() != Type::kInt) return Value::Error(kNoOverload);
  if (value.AsInt() == INT64_MIN) return Value::Error("overflow");
  return Value::Int(-value.AsInt());
}

Value Select(const Value& from, const Value& name) {
  if (from.IsError()) return from;
  if (from.type() != Type::kMap) return Value::Error(kNoOverload);
  const Value found = Lookup(from, name);
  return found.IsMissing() ? Value::Error("no_such_key") : found;
}

Value Index(const Value& from, const Value& index) {
  if (from.IsError()) return from;
  if (index.IsError()) return index;
  if (from.type() == Type::kMap) return Select(from, index);
  if (from.type() != Type::kList || !index.IsNumber()) return Value::Error(kNoOverload);
  const double at = index.ToDouble();
  if (at != std::floor(at)) return Value::Error(kNoOverload);
  if (at < 0 || at >= static_cast<double>(from.AsList().size())) {
    return Value::Error("index_out_of_range");
  }
  return from.AsList()[static_cast<std::size_t>(at)];
}

Value In(const Value& item, const Value& container) {
  if (item.IsError()) return item;
  if (container.IsError()) return container;
  if (container.type() == Type::kMap) return Value::Bool(!Lookup(container, item).IsMissing());
  if (container.type() != Type::kList) return Value::Error(kNoOverload);
  for (const Value& each : container.AsList()) {
    if (Equal(each, item)) return Value::Bool(true);
  }
  return Value::Bool(false);
}

class Evaluation final {
 public:
  Evaluation(const Ast& ast, const Record& record, Arena& arena, std::uint32_t& cost)
      : ast_(ast), record_(record), arena_(arena), cost_(cost) {}

  Value Run(std::uint32_t index) {
    const ExprNode& node = ast_.nodes[index];
    if (cost_ == 0) return Value::Error("cost_exceeded");
    --cost_;
    switch (node.op) {
      case Op::kConstant: return node.constant;
      case Op::kField: {
        const Value& value = record_.Get(node.field);
        return value.IsMissing() ? Value::Error(kNoField) : value;
      }
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kModulo: {
        const Value left = Run(node.operands[0]);
        return Arithmetic(node.op, left, Run(node.operands[1]), arena_);
      }
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual: {
        const Value left = Run(node.operands[0]);
        return Relation(node.op, left, Run(node.operands[1]));
      }
      case Op::kEqual:
      case Op::kNotEqual: return Equality(node);
      case Op::kAnd:
      case Op::kOr: return Logic(node);
      default: return Other(node);
    }
  }

 private:
  Value Equality(const ExprNode& node) {
    const Value left = Run(node.operands[0]);
    if (left.IsError()) return left;
    const Value right = Run(node.operands[1]);
    if (right.IsError()) return right;
    return Value::Bool(Equal(left, right) == (node.op == Op::kEqual));
  }

  // An operand that decides absorbs an error of the other, on either side.
  Value Logic(const ExprNode& node) {
    const bool decides = node.op == Op::kOr;
    const Value left = Run(node.operands[0]);
    if (left.type() == Type::kBool && left.AsBool() == decides) return left;
    const Value right = Run(node.operands[1]);
    if (right.type() == Type::kBool && right.AsBool() == decides) return right;
    if (left.IsError()) return left;
    if (left.type() != Type::kBool) return Value::Error(kNoOverload);
    if (right.IsError()) return right;
    return right.type() == Type::kBool ? right : Value::Error(kNoOverload);
  }

  Value Other(const ExprNode& node) {
    switch (node.op) {
      case Op::kNot: {
        const Value value = Run(node.operands[0]);
        if (value.IsError()) return value;
        return value.type() == Type::kBool ? Value::Bool(!value.AsBool())
                                           : Value::Error(kNoOverload);
      }
      case Op::kNegate: return Negate(Run(node.operands[0]));
      case Op::kTernary: {
        const Value condition = Run(node.operands[0]);
        if (condition.IsError()) return condition;
        if (condition.type() != Type::kBool) return Value::Error(kNoOverload);
        return Run(node.operands[condition.AsBool() ? 1 : 2]);
      }
      case Op::kSelect: return Select(Run(node.operands[0]), node.constant);
      case Op::kHas: return Has(ast_.nodes[node.operands[0]]);
      case Op::kIndex: {
        const Value from = Run(node.operands[0]);
        return Index(from, Run(node.operands[1]));
      }
      case Op::kIn: {
        const Value item = Run(node.operands[0]);
        return In(item, Run(node.operands[1]));
      }
      case Op::kCall: return Call(node);
      case Op::kList: return List(node);
      case Op::kMap: return Map(node);
      default: return Value::Error(kNoOverload);
    }
  }

  Value Has(const ExprNode& inner) {
    if (inner.op == Op::kField) return Value::Bool(!record_.Get(inner.field).IsMissing());
    const Value from = Run(inner.operands[0]);
    if (from.IsError()) return from;
    if (from.type() != Type::kMap) return Value::Error(kNoOverload);
    return Value::Bool(!Lookup(from, inner.constant).IsMissing());
  }

  Value Call(const ExprNode& node) {
    std::array<Value, kArgumentsMax> arguments;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      arguments[i] = Run(ast_.children[node.first + i]);
      if (arguments[i].IsError()) return arguments[i];
    }
    return node.function->evaluate({arguments.data(), node.count}, arena_);
  }

  Value List(const ExprNode& node) {
    Value* items = arena_.AllocateArray<Value>(node.count);
    if (items == nullptr) return Value::Error("out_of_memory");
    for (std::uint32_t i = 0; i < node.count; ++i) {
      items[i] = Run(ast_.children[node.first + i]);
      if (items[i].IsError()) return items[i];
    }
    return Value::List({items, node.count});
  }

  Value Map(const ExprNode& node) {
    const std::uint32_t count = node.count / 2;
    MapEntry* entries = arena_.AllocateArray<MapEntry>(count);
    if (entries == nullptr) return Value::Error("out_of_memory");
    for (std::uint32_t i = 0; i < count; ++i) {
      const Value key = Run(ast_.children[node.first + 2 * i]);
      if (key.IsError()) return key;
      const bool sound = key.type() == Type::kString || key.type() == Type::kBool ||
                         key.type() == Type::kInt || key.type() == Type::kUint;
      if (!sound) return Value::Error("unsupported_key_type");
      if (!Lookup(Value::Map({entries, i}), key).IsMissing()) {
        return Value::Error("duplicate_key");
      }
      const Value value = Run(ast_.children[node.first + 2 * i + 1]);
      if (value.IsError()) return value;
      entries[i] = {key, value};
    }
    return Value::Map({entries, count});
  }

  const Ast& ast_;
  const Record& record_;
  Arena& arena_;
  std::uint32_t& cost_;
};

}  // namespace

Value Evaluate(const Ast& ast, std::uint32_t index, const Record& record, Arena& arena,
               std::uint32_t& cost) {
  return Evaluation(ast, record, arena, cost).Run(index);
}

}  // namespace runnel::expr
