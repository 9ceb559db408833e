#include "pipelines/expr/lower.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "pipelines/expr/operations.h"

namespace runnel::expr {
namespace {

// Integers up to here are exact as doubles.
constexpr double kExactMax = 9007199254740992.0;
constexpr std::size_t kFoldingBytes = 65'536;

std::uint8_t Relation(Op op) {
  switch (op) {
    case Op::kLess:
      return kIsLess;
    case Op::kLessEqual:
      return kIsLess | kIsEqual;
    case Op::kGreater:
      return kIsGreater;
    case Op::kGreaterEqual:
      return kIsGreater | kIsEqual;
    case Op::kEqual:
      return kIsEqual;
    default:
      return kNotEqualRelation;
  }
}

// a REL b as b REL a.
std::uint8_t Mirrored(std::uint8_t relation) {
  const int less = (relation & kIsLess) != 0 ? kIsGreater : 0;
  const int greater = (relation & kIsGreater) != 0 ? kIsLess : 0;
  return static_cast<std::uint8_t>(less | greater | (relation & (kIsEqual | kIsUnordered)));
}

bool IsExact(const Value& value) {
  return value.IsNumber() && std::fabs(value.ToDouble()) <= kExactMax;
}

bool IsComparison(Op op) { return op >= Op::kEqual && op <= Op::kGreaterEqual; }
bool IsArithmetic(Op op) { return op >= Op::kAdd && op <= Op::kModulo; }

class Lowerer final {
 public:
  Lowerer(Ast ast, const ZoneTable* zones)
      : ast_(std::move(ast)),
        program_(std::make_unique<Program>()),
        none_(no_fields_),
        arena_(kFoldingBytes) {
    program_->locals = ast_.locals;
    program_->cost_max = 10'000;
    program_->texts = std::move(ast_.texts);
    program_->zones = zones;
  }

  std::unique_ptr<Program> Run() {
    const ExprNode& root = ast_.nodes[ast_.root];
    program_->root = LowerNode(root);
    program_->type = root.type;
    program_->possible = root.possible;
    const Node& node = program_->nodes[program_->root];
    if (node.code == Code::kConstant && !node.constant.IsError()) {
      program_->type = node.constant.type();
      program_->possible = {program_->type};
    }
    return std::move(program_);
  }
  // Where the first operation stands that failed.
  std::size_t failed_at() const { return failed_at_; }

 private:
  const Node& At(std::uint32_t index) const { return program_->nodes[index]; }
  bool IsConstant(std::uint32_t index) const { return At(index).code == Code::kConstant; }
  bool IsFailure(std::uint32_t index) const {
    return IsConstant(index) && At(index).constant.IsError();
  }
  std::uint32_t Push(const Node& node) {
    program_->nodes.push_back(node);
    return static_cast<std::uint32_t>(program_->nodes.size() - 1);
  }
  std::uint32_t Mark() const { return static_cast<std::uint32_t>(program_->nodes.size()); }
  // Forgets the nodes from `mark` on.
  void Drop(std::uint32_t mark) { program_->nodes.resize(mark); }
  std::uint32_t PushConstant(const Value& value) {
    Node node;
    node.constant = value;
    return Push(node);
  }
  static Node Make(Code code) {
    Node node;
    node.code = code;
    return node;
  }
  std::uint32_t Child(const ExprNode& node, std::uint32_t i) {
    return LowerNode(ast_.Child(node, i));
  }

  std::uint32_t LowerNode(const ExprNode& node) {
    switch (node.op) {
      case Op::kConstant:
        return PushConstant(node.constant);
      case Op::kField:
      case Op::kHasField:
      case Op::kLocal:
        return Leaf(node);
      case Op::kDynamic:
        return Child(node, 0);
      case Op::kSelect:
        return Unary(node, Code::kSelect);
      case Op::kHas:
        return Unary(node, Code::kHas);
      case Op::kNegate:
        return Unary(node, Code::kNegate);
      case Op::kNot:
        return Unary(node, Code::kNot);
      case Op::kIndex:
        return Binary(node, Code::kIndex);
      case Op::kIn:
        return Binary(node, Code::kIn);
      case Op::kAnd:
      case Op::kOr:
        return Logic(node);
      case Op::kTernary:
        return Ternary(node);
      case Op::kCall:
        return Call(node);
      case Op::kList:
      case Op::kMap:
        return Sequence(node);
      case Op::kAll:
      case Op::kExists:
      case Op::kExistsOne:
      case Op::kFilter:
      case Op::kTransformList:
      case Op::kTransformMap:
      case Op::kTransformMapEntry:
        return Macro(node);
      case Op::kBind:
        return Bind(node);
      default:
        return Binary(node, IsComparison(node.op) ? Code::kCompare : Code::kArithmetic);
    }
  }

  std::uint32_t Leaf(const ExprNode& from) {
    Node node = Make(from.op == Op::kField      ? Code::kField
                     : from.op == Op::kHasField ? Code::kHasField
                                                : Code::kLocal);
    node.field = from.field;
    return Push(node);
  }

  std::uint32_t Unary(const ExprNode& from, Code code) {
    const std::uint32_t mark = Mark();
    Node node = Make(code);
    node.third = Child(from, 0);
    node.constant = from.constant;
    const bool constant = IsConstant(node.third);
    const std::uint32_t index = Push(node);
    return constant ? Fold(index, mark, from.at) : index;
  }

  std::uint32_t Binary(const ExprNode& from, Code code) {
    const std::uint32_t mark = Mark();
    const std::uint32_t left = Child(from, 0);
    const std::uint32_t right = Child(from, 1);
    if (IsFailure(left) || IsFailure(right)) {
      return Failure(At(IsFailure(left) ? left : right).constant, mark, from.at);
    }
    Node node = Make(code);
    node.operands[0] = left;
    node.operands[1] = right;
    if (IsComparison(from.op)) node.detail = Relation(from.op);
    if (IsArithmetic(from.op)) node.detail = static_cast<std::uint8_t>(from.op);
    if (IsConstant(left) && IsConstant(right)) return Fold(Push(node), mark, from.at);
    if (code == Code::kCompare) return Comparison(node, mark);
    if (code == Code::kArithmetic) return Arithmetics(node, mark);
    return Push(node);
  }

  // Fused where one side is a number or a text.
  std::uint32_t Comparison(Node node, std::uint32_t mark) {
    if (IsConstant(node.operands[0])) {
      std::swap(node.operands[0], node.operands[1]);
      node.detail = Mirrored(node.detail);
    }
    if (!IsConstant(node.operands[1])) return Push(node);
    const std::uint32_t operand = node.operands[0];
    node.constant = At(node.operands[1]).constant;
    node.third = operand;
    const bool equality = node.detail == kIsEqual || node.detail == kNotEqualRelation;
    if (equality && node.constant.type() == Type::kString) {
      node.code = Code::kEqualText;
    } else if (IsExact(node.constant)) {
      node.number = node.constant.ToDouble();
      node.code = Code::kCompareNumber;
      if (At(operand).code == Code::kField) {
        node.code = Code::kCompareField;
        node.field = At(operand).field;
        Drop(mark);
      }
    }
    return Push(node);
  }

  std::uint32_t Arithmetics(Node node, std::uint32_t mark) {
    const std::uint32_t operand = node.operands[0];
    if (!IsConstant(node.operands[1]) || !At(node.operands[1]).constant.IsNumber()) {
      return Push(node);
    }
    node.constant = At(node.operands[1]).constant;
    node.number = node.constant.ToDouble();
    node.third = operand;
    node.code = Code::kArithmeticNumber;
    if (At(operand).code == Code::kField) {
      node.code = Code::kArithmeticField;
      node.field = At(operand).field;
      Drop(mark);
    }
    return Push(node);
  }

  std::uint32_t Logic(const ExprNode& from) {
    const bool decides = from.op == Op::kOr;
    const std::uint32_t mark = Mark();
    Node node = Make(from.op == Op::kAnd ? Code::kAnd : Code::kOr);
    node.operands[0] = Child(from, 0);
    node.operands[1] = Child(from, 1);
    for (const std::uint32_t operand : node.operands) {
      const Value& value = At(operand).constant;
      if (!IsConstant(operand) || value.type() != Type::kBool || value.AsBool() != decides)
        continue;
      Drop(mark);
      return PushConstant(Value::Bool(decides));
    }
    const bool constant = IsConstant(node.operands[0]) && IsConstant(node.operands[1]);
    if (constant) return Fold(Push(node), mark, from.at);
    const Node& left = At(node.operands[0]);
    const Node& right = At(node.operands[1]);
    if (left.code != Code::kCompareField || right.code != Code::kCompareField ||
        left.field != right.field || node.operands[1] != node.operands[0] + 1) {
      return Push(node);
    }
    Node fused = Make(from.op == Op::kAnd ? Code::kBothField : Code::kEitherField);
    fused.detail = static_cast<std::uint8_t>(left.detail | right.detail << 4);
    fused.field = left.field;
    fused.third = node.operands[0];
    fused.number = left.number;
    fused.constant = Value::Double(right.number);
    return Push(fused);
  }

  std::uint32_t Ternary(const ExprNode& from) {
    const std::uint32_t mark = Mark();
    const std::uint32_t condition = Child(from, 0);
    if (IsConstant(condition)) {
      const Value value = At(condition).constant;
      if (value.IsError()) return Failure(value, mark, from.at);
      if (value.type() != Type::kBool) return Failure(Value::Error(kNoOverload), mark, from.at);
      Drop(mark);
      return Child(from, value.AsBool() ? 1 : 2);
    }
    Node node = Make(Code::kTernary);
    node.operands[0] = condition;
    node.operands[1] = Child(from, 1);
    node.third = Child(from, 2);
    return Push(node);
  }

  // Lowers the operands; they stand in `children` from `first` on. False when one of
  // them always fails: then `index` is that failure.
  bool Operands(const ExprNode& from, std::uint32_t mark, std::uint32_t& first, bool& constant,
                std::uint32_t& index) {
    std::vector<std::uint32_t> operands;
    constant = true;
    for (std::uint32_t i = 0; i < from.count; ++i) {
      operands.push_back(Child(from, i));
      constant = constant && IsConstant(operands.back());
      if (!IsFailure(operands.back())) continue;
      index = Failure(At(operands.back()).constant, mark, from.at);
      return false;
    }
    first = static_cast<std::uint32_t>(program_->children.size());
    program_->children.insert(program_->children.end(), operands.begin(), operands.end());
    return true;
  }

  std::uint32_t Call(const ExprNode& from) {
    const std::uint32_t mark = Mark();
    if (from.function == nullptr) return Failure(Value::Error("no_such_function"), mark, from.at);
    CallSite site;
    site.function = from.function;
    site.count = from.count;
    bool constant = false;
    std::uint32_t index = 0;
    if (!Operands(from, mark, site.first, constant, index)) return index;
    Node node = Make(Code::kCall);
    node.third = static_cast<std::uint32_t>(program_->calls.size());
    program_->calls.push_back(site);
    index = Push(node);
    constant = constant && from.function->of_record == nullptr;
    return constant ? Fold(index, mark, from.at) : index;
  }

  std::uint32_t Sequence(const ExprNode& from) {
    const std::uint32_t mark = Mark();
    Node node = Make(from.op == Op::kList ? Code::kList : Code::kMap);
    node.third = from.count;
    bool constant = false;
    std::uint32_t index = 0;
    if (!Operands(from, mark, node.operands[0], constant, index)) return index;
    index = Push(node);
    return constant ? Fold(index, mark, from.at) : index;
  }

  std::uint32_t Macro(const ExprNode& from) {
    const std::uint32_t mark = Mark();
    Loop loop;
    loop.op = from.op;
    loop.variables = from.variables;
    loop.slot = from.field;
    loop.range = Child(from, 0);
    if (IsFailure(loop.range)) return Failure(At(loop.range).constant, mark, from.at);
    const std::uint32_t inner = Mark();
    if (from.op == Op::kFilter || from.count == 3) loop.filter = Child(from, 1);
    if (from.op == Op::kFilter) {
      Node item = Make(Code::kLocal);
      item.field = from.field;
      loop.body = Push(item);
    } else {
      loop.body = Child(from, from.count - 1);
    }
    loop.weight = 1 + Mark() - inner;
    Node node = Make(Code::kMacro);
    node.third = static_cast<std::uint32_t>(program_->loops.size());
    program_->loops.push_back(loop);
    return Push(node);
  }

  std::uint32_t Bind(const ExprNode& from) {
    Node node = Make(Code::kBind);
    node.field = from.field;
    node.operands[0] = Child(from, 0);
    node.operands[1] = Child(from, 1);
    return Push(node);
  }

  // Replaces the nodes from `mark` on by an error that is always there.
  std::uint32_t Failure(const Value& error, std::uint32_t mark, std::size_t at) {
    if (!failed_) failed_at_ = at;
    failed_ = true;
    Drop(mark);
    return PushConstant(error);
  }

  // Node `index`, whose operands are constants, as a constant.
  std::uint32_t Fold(std::uint32_t index, std::uint32_t mark, std::size_t at) {
    arena_.Reset();
    Value value = Evaluate(*program_, index, none_, arena_);
    if (value.IsError()) {
      const std::string_view reason = value.Reason();
      const bool limit = reason == kOutOfMemory || reason == "cost_exceeded";
      return limit ? index : Failure(value, mark, at);
    }
    value = Keep(value);
    Drop(mark);
    return PushConstant(value);
  }

  // A copy that lives as long as the program.
  Value Keep(const Value& value) {
    switch (value.type()) {
      case Type::kString:
        return Value::String(KeepText(value.AsString()));
      case Type::kBytes:
        return Value::Bytes(KeepText(value.AsBytes()));
      case Type::kList: {
        const auto items = value.AsList();
        Value* const copy =
            program_->lists.emplace_back(std::make_unique<Value[]>(items.size())).get();
        std::transform(items.begin(), items.end(), copy,
                       [this](const Value& v) { return Keep(v); });
        return Value::List({copy, items.size()});
      }
      case Type::kMap: {
        const auto entries = value.AsMap();
        MapEntry* const copy =
            program_->maps.emplace_back(std::make_unique<MapEntry[]>(entries.size())).get();
        std::transform(entries.begin(), entries.end(), copy, [this](const MapEntry& entry) {
          return MapEntry{Keep(entry.key), Keep(entry.value)};
        });
        return Value::Map({copy, entries.size()});
      }
      default:
        return value;
    }
  }
  std::string_view KeepText(std::string_view text) {
    program_->texts.push_back(std::make_unique<std::string>(text));
    return *program_->texts.back();
  }

  Ast ast_;
  std::unique_ptr<Program> program_;
  FieldTable no_fields_;
  Record none_;
  Arena arena_;
  bool failed_ = false;
  std::size_t failed_at_ = 0;
};

}  // namespace

std::unique_ptr<Program> Lower(Ast ast, std::string_view text, const Place& place,
                               const Scope& scope, const ExpressionLimits& limits,
                               Diagnostics& diagnostics) {
  Lowerer lowerer(std::move(ast), scope.zones);
  std::unique_ptr<Program> program = lowerer.Run();
  program->cost_max = limits.cost_max;
  const Node& root = program->nodes[program->root];
  const bool failure = root.code == Code::kConstant && root.constant.IsError();
  if (!failure || scope.typing == Scope::Typing::kDynamic) return program;
  diagnostics.Error(place.At(text, lowerer.failed_at()),
                    "this is an error whatever the record: " + std::string(root.constant.Reason()));
  return nullptr;
}

}  // namespace runnel::expr
