#include <array>

#include "pipelines/expr/machine.h"

namespace runnel::expr {
namespace {

Op OpOf(const Node& node) { return static_cast<Op>(node.detail); }

// The field is a double or not there in nearly every record.
Value CompareField(Machine& machine, const Node& node) {
  const Value& value = machine.record.Get(node.field);
  if (value.type() == Type::kDouble) {
    return Value::Bool((RelationOf(value.AsDouble(), node.number) & node.detail) != 0);
  }
  if (value.IsMissing()) return Value::Error(kNoField);
  if (value.IsError()) return value;
  return CompareValues(node.detail, value, node.constant);
}

Value CompareNumber(Machine& machine, const Node& node) {
  const Value value = Operand(machine, node.third);
  if (value.type() == Type::kDouble) {
    return Value::Bool((RelationOf(value.AsDouble(), node.number) & node.detail) != 0);
  }
  return value.IsError() ? value : CompareValues(node.detail, value, node.constant);
}

Value CompareOperands(Machine& machine, const Node& node) {
  const Value left = Operand(machine, node.operands[0]);
  if (left.IsError()) return left;
  const Value right = Operand(machine, node.operands[1]);
  if (right.IsError()) return right;
  return CompareValues(node.detail, left, right);
}

Value EqualText(Machine& machine, const Node& node) {
  const Value value = Operand(machine, node.third);
  if (value.IsError()) return value;
  const bool equal = value.type() == Type::kString && value.AsString() == node.constant.AsString();
  return Value::Bool(equal == (node.detail == kIsEqual));
}

Value ArithmeticField(Machine& machine, const Node& node) {
  const Value& value = machine.record.Get(node.field);
  if (value.type() == Type::kDouble && OpOf(node) != Op::kModulo) {
    return DoubleArithmetic(OpOf(node), value.AsDouble(), node.number);
  }
  if (value.IsMissing()) return Value::Error(kNoField);
  if (value.IsError()) return value;
  return Arithmetic(OpOf(node), value, node.constant, machine.arena);
}

Value ArithmeticNumber(Machine& machine, const Node& node) {
  const Value value = Operand(machine, node.third);
  if (value.type() == Type::kDouble && OpOf(node) != Op::kModulo) {
    return DoubleArithmetic(OpOf(node), value.AsDouble(), node.number);
  }
  return value.IsError() ? value : Arithmetic(OpOf(node), value, node.constant, machine.arena);
}

Value ArithmeticOperands(Machine& machine, const Node& node) {
  const Value left = Operand(machine, node.operands[0]);
  if (left.IsError()) return left;
  const Value right = Operand(machine, node.operands[1]);
  if (right.IsError()) return right;
  return Arithmetic(OpOf(node), left, right, machine.arena);
}

// An operand that decides absorbs an error of the other, on either side.
inline Value Logic(Machine& machine, std::uint32_t first, std::uint32_t second, bool decides) {
  const Value left = Operand(machine, first);
  if (left.type() == Type::kBool && left.AsBool() == decides) return left;
  const Value right = Operand(machine, second);
  if (right.type() == Type::kBool) {
    if (left.type() == Type::kBool || right.AsBool() == decides) return right;
  }
  if (left.IsError()) return left;
  if (left.type() != Type::kBool) return Value::Error(kNoOverload);
  return right.IsError() ? right : Value::Error(kNoOverload);
}

// Two comparisons of one field, which is a double in nearly every record.
Value LogicOfField(Machine& machine, const Node& node) {
  const Value& value = machine.record.Get(node.field);
  if (value.type() != Type::kDouble) [[unlikely]] {
    return Logic(machine, node.third, node.third + 1, node.code == Code::kEitherField);
  }
  const double number = value.AsDouble();
  const int first = RelationOf(number, node.number) & node.detail;
  const int second = RelationOf(number, node.constant.AsDouble()) & node.detail >> 4;
  if (node.code == Code::kBothField) return Value::Bool(first != 0 && second != 0);
  return Value::Bool((first | second) != 0);
}

Value Ternary(Machine& machine, const Node& node) {
  const Value condition = Operand(machine, node.operands[0]);
  if (condition.IsError()) return condition;
  if (condition.type() != Type::kBool) return Value::Error(kNoOverload);
  return Operand(machine, condition.AsBool() ? node.operands[1] : node.third);
}

// Work on text and lists grows with their length.
bool ChargeSize(Machine& machine, const Value& value) {
  constexpr std::size_t kBytesPerStep = 64;
  constexpr std::size_t kItemsPerStep = 8;
  std::size_t steps = 0;
  if (value.type() == Type::kString || value.type() == Type::kBytes) {
    steps = value.AsString().size() / kBytesPerStep;
  } else if (value.type() == Type::kList) {
    steps = value.AsList().size() / kItemsPerStep;
  }
  return steps == 0 || machine.Charge(steps);
}

// What came of a call: text that is long has cost more than its arguments say, and so has
// text that found no room, which `||` and macros would absorb again and again.
Value Charged(Machine& machine, const Value& result) {
  constexpr std::size_t kNoRoom = 1'000;
  if (result.type() == Type::kBool || result.IsNumber()) return result;
  const bool no_room = result.IsError() && result.Reason() == std::string_view(kOutOfMemory);
  const bool paid = no_room ? machine.Charge(kNoRoom) : ChargeSize(machine, result);
  return paid ? result : Value::Error(kCostExceeded);
}

Value Call(Machine& machine, const Node& node) {
  const CallSite& site = machine.program.calls[node.third];
  const Function& function = *site.function;
  // Without a loop over the arguments that sets them to nothing first.
  alignas(Value) std::array<std::byte, kArgumentsMax * sizeof(Value)> memory;
  Value* const arguments = reinterpret_cast<Value*>(memory.data());
  for (std::uint32_t i = 0; i < site.count; ++i) {
    Value* const value = std::construct_at(
        arguments + i, Operand(machine, machine.program.children[site.first + i]));
    if (value->IsError()) return *value;
    if (!function.TypesOf(i).Has(value->type())) return Value::Error(kNoOverload);
    if (!ChargeSize(machine, *value)) return Value::Error(kCostExceeded);
  }
  if (function.of_record != nullptr) [[unlikely]] {
    return function.of_record(machine.record, {arguments, site.count}, machine.arena);
  }
  if (function.of_program != nullptr) [[unlikely]] {
    return function.of_program(machine.program, {arguments, site.count});
  }
  return Charged(machine, function.evaluate({arguments, site.count}, machine.arena));
}

Value List(Machine& machine, const Node& node) {
  Value* items = machine.arena.AllocateArray<Value>(node.third);
  if (items == nullptr) return Value::Error(kOutOfMemory);
  for (std::uint32_t i = 0; i < node.third; ++i) {
    items[i] = Operand(machine, machine.program.children[node.operands[0] + i]);
    if (items[i].IsError()) return items[i];
  }
  return Value::List({items, node.third});
}

Value Map(Machine& machine, const Node& node) {
  const std::uint32_t count = node.third / 2;
  const std::uint32_t* children = machine.program.children.data() + node.operands[0];
  MapEntry* entries = machine.arena.AllocateArray<MapEntry>(count);
  if (entries == nullptr) return Value::Error(kOutOfMemory);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Value key = Operand(machine, children[2 * i]);
    if (key.IsError()) return key;
    const Value value = Operand(machine, children[2 * i + 1]);
    if (value.IsError()) return value;
    const Value added = AddEntry(entries, i, key, value);
    if (added.IsError()) return added;
  }
  return Value::Map({entries, count});
}

Value RunIn(Machine& machine, const Node& node) {
  const Value item = Operand(machine, node.operands[0]);
  if (item.IsError()) return item;
  const Value container = Operand(machine, node.operands[1]);
  if (container.IsError()) return container;
  if (container.type() == Type::kList && !machine.Charge(container.AsList().size() / 8)) {
    return Value::Error(kCostExceeded);
  }
  return In(item, container);
}

Value RunIndex(Machine& machine, const Node& node) {
  const Value from = Operand(machine, node.operands[0]);
  if (from.IsError()) return from;
  const Value index = Operand(machine, node.operands[1]);
  return index.IsError() ? index : Index(from, index);
}

// The nodes with one operand.
Value RunUnary(Machine& machine, const Node& node) {
  const Value value = Operand(machine, node.third);
  if (value.IsError()) return value;
  switch (node.code) {
    case Code::kNot:
      return Not(value);
    case Code::kNegate:
      return Negate(value);
    case Code::kSelect:
      return Select(value, node.constant);
    default:
      return Has(value, node.constant);
  }
}

}  // namespace

Value Run(Machine& machine, const Node& node) {
  switch (node.code) {
    case Code::kConstant:
      return node.constant;
    case Code::kField: {
      const Value& value = machine.record.Get(node.field);
      return value.IsMissing() ? Value::Error(kNoField) : value;
    }
    case Code::kLocal:
      return machine.locals[node.field];
    case Code::kCompareField:
      return CompareField(machine, node);
    case Code::kCompareNumber:
      return CompareNumber(machine, node);
    case Code::kCompare:
      return CompareOperands(machine, node);
    case Code::kEqualText:
      return EqualText(machine, node);
    case Code::kArithmeticField:
      return ArithmeticField(machine, node);
    case Code::kArithmeticNumber:
      return ArithmeticNumber(machine, node);
    case Code::kArithmetic:
      return ArithmeticOperands(machine, node);
    case Code::kAnd:
      return Logic(machine, node.operands[0], node.operands[1], false);
    case Code::kOr:
      return Logic(machine, node.operands[0], node.operands[1], true);
    case Code::kBothField:
    case Code::kEitherField:
      return LogicOfField(machine, node);
    case Code::kTernary:
      return Ternary(machine, node);
    case Code::kCall:
      return Call(machine, node);
    case Code::kHasField:
      return Value::Bool(!machine.record.Get(node.field).IsMissing());
    case Code::kNot:
    case Code::kNegate:
    case Code::kSelect:
    case Code::kHas:
      return RunUnary(machine, node);
    case Code::kIndex:
      return RunIndex(machine, node);
    case Code::kIn:
      return RunIn(machine, node);
    case Code::kList:
      return List(machine, node);
    case Code::kMap:
      return Map(machine, node);
    case Code::kMacro:
      return RunLoop(machine, machine.program.loops[node.third]);
    case Code::kBind:
      machine.locals[node.field] = Operand(machine, node.operands[0]);
      return Operand(machine, node.operands[1]);
  }
  return Value::Error(kNoOverload);
}

Value Evaluate(const Program& program, std::uint32_t index, const Record& record, Arena& arena) {
  const Node& node = program.nodes[index];
  Machine machine{program, record, arena, nullptr, program.cost_max};
  // What most filters are.
  if (node.code == Code::kBothField) return LogicOfField(machine, node);
  if (program.locals == 0) return Run(machine, node);
  // Each variable is set before it is read; setting them here first would cost more
  // than many an expression.
  alignas(Value) std::array<std::byte, kLocalsMax * sizeof(Value)> locals;
  machine.locals = reinterpret_cast<Value*>(locals.data());
  return Run(machine, node);
}

}  // namespace runnel::expr
