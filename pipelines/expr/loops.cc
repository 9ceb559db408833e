// The macros: bodies that run once per item of a list or map.
#include "pipelines/expr/machine.h"

namespace runnel::expr {
namespace {

// The items of a range, as the variables see them.
class Items final {
 public:
  Items(Machine& machine, const Loop& loop, const Value& range)
      : machine_(machine),
        loop_(loop),
        range_(range),
        size_(range.type() == Type::kList ? range.AsList().size() : range.AsMap().size()) {}

  std::size_t size() const { return size_; }
  // Sets the variables to the next item; false behind the last or at the cost's end.
  bool Next() {
    if (next_ == size_) return false;
    exhausted_ = !machine_.Charge(loop_.weight);
    if (exhausted_) return false;
    Value* const variables = machine_.locals + loop_.slot;
    const bool two = loop_.variables == 2;
    if (range_.type() == Type::kList) {
      variables[two ? 1 : 0] = range_.AsList()[next_];
      if (two) variables[0] = Value::Int(static_cast<std::int64_t>(next_));
    } else {
      variables[0] = range_.AsMap()[next_].key;
      if (two) variables[1] = range_.AsMap()[next_].value;
    }
    ++next_;
    return true;
  }
  bool exhausted() const { return exhausted_; }

 private:
  Machine& machine_;
  const Loop& loop_;
  const Value& range_;
  const std::size_t size_;
  std::size_t next_ = 0;
  bool exhausted_ = false;
};

Value Condition(Machine& machine, std::uint32_t node) {
  const Value value = Operand(machine, node);
  if (value.type() == Type::kBool || value.IsError()) return value;
  return Value::Error(kNoOverload);
}

// all, exists: the items joined by && or ||; an item that decides absorbs errors.
Value Decide(Machine& machine, const Loop& loop, Items& items) {
  const bool decides = loop.op == Op::kExists;
  Value result = Value::Bool(!decides);
  while (items.Next()) {
    const Value value = Condition(machine, loop.body);
    if (value.IsError()) {
      if (!result.IsError()) result = value;
    } else if (value.AsBool() == decides) {
      return value;
    }
  }
  return result;
}

Value ExistsOne(Machine& machine, const Loop& loop, Items& items) {
  std::size_t count = 0;
  while (items.Next()) {
    const Value value = Condition(machine, loop.body);
    if (value.IsError()) return value;
    if (value.AsBool()) ++count;
  }
  return Value::Bool(count == 1);
}

// Whether the item passes the filter, as bool, or an error.
Value Passes(Machine& machine, const Loop& loop) {
  return loop.filter == kNoNode ? Value::Bool(true) : Condition(machine, loop.filter);
}

// filter, map, transformList.
Value MakeList(Machine& machine, const Loop& loop, Items& items) {
  Value* const list = machine.arena.AllocateArray<Value>(items.size());
  if (list == nullptr) return Value::Error(kOutOfMemory);
  std::size_t count = 0;
  while (items.Next()) {
    const Value passes = Passes(machine, loop);
    if (passes.IsError()) return passes;
    if (!passes.AsBool()) continue;
    const Value value = Operand(machine, loop.body);
    if (value.IsError()) return value;
    list[count++] = value;
  }
  return Value::List({list, count});
}

// What the body of transformMapEntry gives: a map of one entry.
Value AddEntryOf(const Value& body, MapEntry* entries, std::size_t count) {
  if (body.type() != Type::kMap || body.AsMap().size() != 1) return Value::Error(kNoOverload);
  const MapEntry& entry = body.AsMap().front();
  return AddEntry(entries, count, entry.key, entry.value);
}

// transformMap, transformMapEntry.
Value MakeMap(Machine& machine, const Loop& loop, Items& items) {
  MapEntry* const entries = machine.arena.AllocateArray<MapEntry>(items.size());
  if (entries == nullptr) return Value::Error(kOutOfMemory);
  std::size_t count = 0;
  while (items.Next()) {
    const Value key = machine.locals[loop.slot];
    const Value passes = Passes(machine, loop);
    if (passes.IsError()) return passes;
    if (!passes.AsBool()) continue;
    const Value value = Operand(machine, loop.body);
    if (value.IsError()) return value;
    // Each new key is compared with those before it.
    if (!machine.Charge(count / 8)) return Value::Error(kCostExceeded);
    const Value added = loop.op == Op::kTransformMap ? AddEntry(entries, count, key, value)
                                                     : AddEntryOf(value, entries, count);
    if (added.IsError()) return added;
    ++count;
  }
  return Value::Map({entries, count});
}

}  // namespace

Value RunLoop(Machine& machine, const Loop& loop) {
  const Value range = Operand(machine, loop.range);
  if (range.IsError()) return range;
  if (range.type() != Type::kList && range.type() != Type::kMap) return Value::Error(kNoOverload);
  Items items(machine, loop, range);
  Value result;
  switch (loop.op) {
    case Op::kAll:
    case Op::kExists:
      result = Decide(machine, loop, items);
      break;
    case Op::kExistsOne:
      result = ExistsOne(machine, loop, items);
      break;
    case Op::kTransformMap:
    case Op::kTransformMapEntry:
      result = MakeMap(machine, loop, items);
      break;
    default:
      result = MakeList(machine, loop, items);
  }
  return items.exhausted() ? Value::Error(kCostExceeded) : result;
}

}  // namespace runnel::expr
