#include "pipelines/expr/checker.h"

#include <string>
#include <utility>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/overloads.h"
#include "pipelines/expr/regex.h"
#include "pipelines/expr/times.h"

namespace runnel::expr {
namespace {

class Checker final {
 public:
  Checker(Ast& ast, std::string_view text, const Place& place, const ZoneTable* zones,
          Diagnostics& diagnostics)
      : ast_(ast), text_(text), place_(place), zones_(zones), diagnostics_(diagnostics) {}

  bool Run() {
    // Children stand before their parents.
    for (ExprNode& node : ast_.nodes) {
      node.type = TypeOf(node);
      node.possible = PossibleOf(node);
      if (node.possible == Types()) node.possible = kAnyType;  // there was an error
    }
    return ok_;
  }

 private:
  Type ChildType(const ExprNode& node, std::uint32_t i) const { return ast_.Child(node, i).type; }
  Types Possible(const ExprNode& node, std::uint32_t i) const {
    return ast_.Child(node, i).possible;
  }
  void Fail(std::size_t at, std::string message, std::string hint = {}) {
    diagnostics_.Error(place_.At(text_, at), std::move(message), std::move(hint));
    ok_ = false;
  }

  Type TypeOf(const ExprNode& node) {
    switch (node.op) {
      case Op::kConstant:
        return node.constant.type();
      case Op::kField:
        return node.type;
      case Op::kLocal:
      case Op::kDynamic:
        return Type::kMissing;
      case Op::kHas:
      case Op::kSelect:
        return Select(node);
      case Op::kHasField:
        return Type::kBool;
      case Op::kIndex:
        return Index(node);
      case Op::kNegate:
        return Negate(node);
      case Op::kNot:
        NeedBool(node, 0, "`!`");
        return Type::kBool;
      case Op::kAnd:
      case Op::kOr:
        return Logic(node);
      case Op::kTernary:
        return Ternary(node);
      case Op::kBind:
        return ChildType(node, 1);
      case Op::kCall:
        return Call(node);
      case Op::kList:
        return Type::kList;
      case Op::kMap:
        return Map(node);
      case Op::kAll:
      case Op::kExists:
      case Op::kExistsOne:
      case Op::kFilter:
      case Op::kTransformList:
      case Op::kTransformMap:
      case Op::kTransformMapEntry:
        return Macro(node);
      default:
        return Binary(node);
    }
  }

  // What an expression may give whose type is not known.
  Types PossibleOf(const ExprNode& node) const {
    if (node.type != Type::kMissing) return {node.type};
    switch (node.op) {
      case Op::kNegate:
        return Possible(node, 0) & Types{Type::kInt, Type::kDouble, Type::kDuration};
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kModulo:
        return ResultsOf(node.op, Possible(node, 0), Possible(node, 1));
      case Op::kTernary:
        return Possible(node, 1) | Possible(node, 2);
      case Op::kBind:
        return Possible(node, 1);
      case Op::kCall: {
        if (node.function == nullptr) return kAnyType;
        // Such a function gives a number or what it was given.
        Types types = kNumberType;
        for (std::uint32_t i = 0; i < node.count; ++i) {
          types = types | (Possible(node, i) & node.function->TypesOf(i));
        }
        return types;
      }
      default:
        return kAnyType;
    }
  }

  // `who` as the message spells it.
  void Need(const ExprNode& node, std::uint32_t i, Types types, const std::string& who) {
    const Types possible = Possible(node, i);
    if (possible.Meets(types)) return;
    Fail(ast_.Child(node, i).at, who + " takes " + Spelled(types) + ", found " + Spelled(possible));
  }
  void NeedBool(const ExprNode& node, std::uint32_t i, const std::string& who) {
    Need(node, i, {Type::kBool}, who);
  }

  Type Select(const ExprNode& node) {
    Need(node, 0, {Type::kMap}, "`." + std::string(node.constant.AsString()) + "`");
    return node.op == Op::kHas ? Type::kBool : Type::kMissing;
  }
  Type Index(const ExprNode& node) {
    Need(node, 0, {Type::kList, Type::kMap}, "`[]`");
    if (ChildType(node, 0) == Type::kList) Need(node, 1, kNumberType, "an index");
    return Type::kMissing;
  }
  Type Negate(const ExprNode& node) {
    Need(node, 0, {Type::kInt, Type::kDouble, Type::kDuration}, "`-`");
    return ChildType(node, 0);
  }
  Type Logic(const ExprNode& node) {
    const std::string who = "`" + std::string(SymbolOf(node.op)) + "`";
    NeedBool(node, 0, who);
    NeedBool(node, 1, who);
    return Type::kBool;
  }
  Type Ternary(const ExprNode& node) {
    NeedBool(node, 0, "`?`");
    return ChildType(node, 1) == ChildType(node, 2) ? ChildType(node, 1) : Type::kMissing;
  }
  Type Map(const ExprNode& node) {
    for (std::uint32_t i = 0; i < node.count; i += 2) {
      Need(node, i, {Type::kBool, Type::kInt, Type::kUint, Type::kString}, "a key");
    }
    return Type::kMap;
  }

  Type Call(const ExprNode& node) {
    if (node.function == nullptr) return Type::kMissing;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      Need(node, i, node.function->TypesOf(i), "`" + std::string(node.function->name) + "`");
    }
    if (node.function->name == "matches") CheckPattern(ast_.Child(node, 1));
    if (TakesZone(*node.function) && node.count == 2) CheckZone(ast_.Child(node, 1));
    return node.function->result;
  }
  void CheckZone(const ExprNode& zone) {
    if (zone.op != Op::kConstant || zone.constant.type() != Type::kString) return;
    const std::string_view name = zone.constant.AsString();
    if (OffsetOf(name, zones_, 0).has_value()) return;
    Fail(zone.at, "unknown time zone `" + std::string(name) + "`",
         "a name of the zone database, such as Europe/Berlin, or UTC or +02:00");
  }
  void CheckPattern(const ExprNode& pattern) {
    if (pattern.op != Op::kConstant || pattern.constant.type() != Type::kString) return;
    const std::string problem = RegexProblem(pattern.constant.AsString());
    if (!problem.empty()) Fail(pattern.at, "the regular expression is wrong: " + problem);
  }

  Type Macro(const ExprNode& node) {
    Need(node, 0, {Type::kList, Type::kMap}, "a macro");
    const bool condition =
        node.op == Op::kAll || node.op == Op::kExists || node.op == Op::kExistsOne;
    // A filter may stand before the body.
    if (condition || node.op == Op::kFilter || node.count == 3) NeedBool(node, 1, "a condition");
    if (condition) return Type::kBool;
    if (node.op == Op::kTransformMapEntry) Need(node, node.count - 1, {Type::kMap}, "the body");
    const bool list = node.op == Op::kFilter || node.op == Op::kTransformList;
    return list ? Type::kList : Type::kMap;
  }

  Type Binary(const ExprNode& node) {
    const Types left = Possible(node, 0);
    const Types right = Possible(node, 1);
    const Types results = ResultsOf(node.op, left, right);
    if (results != Types()) return OnlyOne(results);
    Fail(node.at,
         "`" + std::string(SymbolOf(node.op)) + "` does not go with " + Spelled(left) + " and " +
             Spelled(right),
         Advice(node.op, left, right));
    return Type::kMissing;
  }
  static Type OnlyOne(Types types) {
    for (unsigned i = 0; i < 32; ++i) {
      const auto type = static_cast<Type>(i);
      if (types == Types{type}) return type;
    }
    return Type::kMissing;
  }

  // What to write where text meets a number, the commonest mistake.
  static std::string Advice(Op op, Types left, Types right) {
    const bool text_left = left == kTextType;
    const Types other = text_left ? right : left;
    if (!text_left && right != kTextType) return {};
    if (!other.Meets(kNumberType)) return {};
    if (op == Op::kIn) return {};
    if (op == Op::kAdd) return "string(x) makes text of a number";
    return "double(x) makes a number of text";
  }

  Ast& ast_;
  std::string_view text_;
  const Place& place_;
  const ZoneTable* zones_;
  Diagnostics& diagnostics_;
  bool ok_ = true;
};

}  // namespace

bool Check(Ast& ast, std::string_view text, const Place& place, const ZoneTable* zones,
           Diagnostics& diagnostics) {
  return Checker(ast, text, place, zones, diagnostics).Run();
}

}  // namespace runnel::expr
