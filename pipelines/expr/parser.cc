#include "pipelines/expr/parser.h"

#include <algorithm>
#include <span>
#include <utility>

#include "pipelines/expr/builder.h"
#include "pipelines/expr/cursor.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/macros.h"
#include "pipelines/expr/names.h"

namespace runnel::expr {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  int level;  // higher binds closer
  Op op;
};

constexpr BinaryOperator kBinary[] = {
    {"||", 1, Op::kOr},        {"&&", 2, Op::kAnd},      {"<", 3, Op::kLess},
    {"<=", 3, Op::kLessEqual}, {">", 3, Op::kGreater},   {">=", 3, Op::kGreaterEqual},
    {"==", 3, Op::kEqual},     {"!=", 3, Op::kNotEqual}, {"in", 3, Op::kIn},
    {"+", 4, Op::kAdd},        {"-", 4, Op::kSubtract},  {"*", 5, Op::kMultiply},
    {"/", 5, Op::kDivide},     {"%", 5, Op::kModulo},
};
constexpr int kLowestLevel = 1;
constexpr int kHighestLevel = 5;
constexpr std::uint32_t kNone = Builder::kNone;
using Operands = Builder::Operands;

class Parser final {
 public:
  Parser(std::string_view text, const Place& place, const Scope& scope,
         const ExpressionLimits& limits, Diagnostics& diagnostics)
      : cursor_(text, place, diagnostics),
        names_(scope),
        depth_max_(limits.depth_max),
        builder_(cursor_, limits.depth_max),
        dynamic_(scope.typing == Scope::Typing::kDynamic) {}

  std::optional<Ast> Run() {
    if (cursor_.failed()) return std::nullopt;
    if (AtEnd()) {
      cursor_.Stop(0, "an expression is expected, found nothing");
      return std::nullopt;
    }
    const std::uint32_t root = Ternary();
    if (root != kNone && !AtEnd()) {
      cursor_.Stop(cursor_.Now().at, "expected an operator or the end, found " + cursor_.Found(),
                   Names::OperatorHint(cursor_.Before(), cursor_.Now().text));
    }
    if (cursor_.failed()) return std::nullopt;
    Ast ast = builder_.Take();
    ast.root = root;
    ast.locals = names_.variables_max();
    return ast;
  }

 private:
  // Counts nesting: deep input must not use up the stack.
  class Level final {
   public:
    explicit Level(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };
  bool TooDeep(std::size_t at) { return depth_ > depth_max_ && builder_.StopTooDeep(at) == kNone; }

  bool AtEnd() const { return cursor_.Now().kind == TokenKind::kEnd; }
  std::uint32_t Stop(std::size_t at, std::string message, std::string hint = {}) {
    cursor_.Stop(at, std::move(message), std::move(hint));
    return kNone;
  }

  std::uint32_t Named(Op op, const Token& name, std::uint32_t from) {
    ExprNode node = Builder::Make(op, name.at);
    node.constant = Value::String(builder_.Keep(std::string(name.text)));
    return builder_.Add(std::move(node), Operands(&from, 1));
  }
  std::uint32_t Ternary() {
    const Level level(*this);
    if (TooDeep(cursor_.Now().at)) return kNone;
    const std::uint32_t condition = Binary(kLowestLevel);
    const std::size_t at = cursor_.Now().at;
    if (condition == kNone || !cursor_.Take("?")) return condition;
    const std::uint32_t yes = Binary(kLowestLevel);
    if (yes == kNone || !cursor_.Expect(":")) return kNone;
    return builder_.Add(Op::kTernary, at, {condition, yes, Ternary()});
  }

  const BinaryOperator* OperatorHere() const {
    const Token& token = cursor_.Now();
    const bool word = token.kind == TokenKind::kIdentifier && token.text == "in";
    if (token.kind != TokenKind::kSymbol && !word) return nullptr;
    const auto found = std::find_if(std::begin(kBinary), std::end(kBinary),
                                    [&](const auto& each) { return each.symbol == token.text; });
    return found == std::end(kBinary) ? nullptr : found;
  }

  // Precedence climbing: operators of `level` and those that bind closer.
  std::uint32_t Binary(int level) {
    std::uint32_t left = Unary();
    while (left != kNone) {
      const BinaryOperator* op = OperatorHere();
      if (op == nullptr || op->level < level) return left;
      const std::size_t at = cursor_.Next().at;
      if (op->op == Op::kAnd || op->op == Op::kOr) {
        left = Chain(*op, left, at);
      } else {
        const std::uint32_t right = op->level == kHighestLevel ? Unary() : Binary(op->level + 1);
        if (right == kNone) return kNone;
        TakeTypeName(*op, left, right);
        left = builder_.Add(op->op, at, {left, right});
      }
    }
    return kNone;
  }

  // a && b && c && …, as a balanced tree; these operators are associative.
  std::uint32_t Chain(const BinaryOperator& op, std::uint32_t first, std::size_t at) {
    std::vector<std::uint32_t> operands = {first};
    std::vector<std::size_t> places;
    for (;;) {
      operands.push_back(Binary(op.level + 1));
      places.push_back(at);
      if (operands.back() == kNone) return kNone;
      if (!cursor_.Is(op.symbol)) break;
      at = cursor_.Next().at;
    }
    return Balance(op.op, operands, places);
  }
  std::uint32_t Balance(Op op, Operands operands, std::span<const std::size_t> places) {
    if (operands.size() == 1) return operands.front();
    const std::size_t half = operands.size() / 2;
    const std::uint32_t left = Balance(op, operands.first(half), places.first(half - 1));
    const std::uint32_t right = Balance(op, operands.subspan(half), places.subspan(half));
    return builder_.Add(op, places[half - 1], {left, right});
  }

  // `type` is a field, for many records have one, unless it stands beside a type:
  // `type(int) == type`.
  void TakeTypeName(const BinaryOperator& op, std::uint32_t left, std::uint32_t right) {
    if (op.op != Op::kEqual && op.op != Op::kNotEqual) return;
    const auto is_type_call = [](const ExprNode& node) {
      return node.op == Op::kCall && node.function != nullptr && node.function->name == "type";
    };
    ExprNode& a = builder_.node(left);
    ExprNode& b = builder_.node(right);
    for (auto [name, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (name->op == Op::kField && is_type_call(*other) && name->constant.AsString() == "type") {
        name->op = Op::kConstant;
        name->constant = Value::OfType(Type::kType);
      }
    }
  }

  std::uint32_t Unary() {
    const std::size_t at = cursor_.Now().at;
    if (!cursor_.Is("!") && !cursor_.Is("-")) return Member(Primary());
    const bool negate = cursor_.Next().text == "-";
    const TokenKind kind = cursor_.Now().kind;
    if (negate && (kind == TokenKind::kInt || kind == TokenKind::kDouble)) {
      return Member(Number(Sign::kMinus));
    }
    const Level level(*this);
    if (TooDeep(at)) return kNone;
    return builder_.Add(negate ? Op::kNegate : Op::kNot, at, {Unary()});
  }

  enum class Sign { kPlus, kMinus };
  std::uint32_t Number(Sign sign) {
    const Token token = cursor_.Next();
    const bool negative = sign == Sign::kMinus;
    if (token.kind == TokenKind::kDouble) {
      return builder_.Constant(Value::Double(negative ? -token.number : token.number), token.at);
    }
    const auto magnitude = static_cast<std::uint64_t>(token.integer);
    if (!negative && magnitude == std::uint64_t{1} << 63) {
      return Stop(token.at, "a number that does not fit 64 bits");
    }
    return builder_.Constant(
        Value::Int(static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude)), token.at);
  }

  // What may stand behind a value: `.name`, `.name(…)`, `[…]`.
  std::uint32_t Member(std::uint32_t value) {
    while (value != kNone) {
      const std::size_t at = cursor_.Now().at;
      if (cursor_.Take(".")) {
        value = Selected(value);
      } else if (cursor_.Take("[")) {
        const std::uint32_t index = Ternary();
        if (index == kNone || !cursor_.Expect("]")) return kNone;
        value = builder_.Add(Op::kIndex, at, {value, index});
      } else {
        return value;
      }
    }
    return kNone;
  }

  // Whether the token may name a variable or a member.
  static bool IsName(const Token& token) {
    const std::string_view text = token.text;
    return token.kind == TokenKind::kIdentifier && text != "true" && text != "false" &&
           text != "null" && text != "in";
  }

  std::uint32_t Selected(std::uint32_t value) {
    const Token name = cursor_.Next();
    if (IsName(name)) {
      if (!cursor_.Is("(")) return Named(Op::kSelect, name, value);
      const Macro* macro = FindMacro(name.text);
      return macro != nullptr ? Expand(*macro, name, value) : Call(name, name.text, value);
    }
    if (name.kind == TokenKind::kQuotedName) return Named(Op::kSelect, name, value);
    return Stop(name.at, "expected a name behind `.`");
  }

  std::uint32_t Primary() {
    const Token& token = cursor_.Now();
    const std::size_t at = token.at;
    switch (token.kind) {
      case TokenKind::kInt:
      case TokenKind::kDouble:
        return Number(Sign::kPlus);
      case TokenKind::kUint:
        return builder_.Constant(Value::Uint(static_cast<std::uint64_t>(cursor_.Next().integer)),
                                 at);
      case TokenKind::kString:
        return builder_.Constant(Value::String(builder_.Keep(cursor_.Next().value)), at);
      case TokenKind::kBytes:
        return builder_.Constant(Value::Bytes(builder_.Keep(cursor_.Next().value)), at);
      case TokenKind::kIdentifier:
        return Identifier();
      case TokenKind::kQuotedName:
        return Field(std::string(token.text), at, 1);
      default:
        break;
    }
    if (cursor_.Take("(")) {
      const std::uint32_t inner = Ternary();
      return inner != kNone && cursor_.Expect(")") ? inner : kNone;
    }
    if (cursor_.Take("[")) return Sequence(Op::kList, "]", at);
    if (cursor_.Take("{")) return Sequence(Op::kMap, "}", at);
    if (cursor_.Is(".") && cursor_.Ahead(1).kind == TokenKind::kIdentifier) {
      cursor_.Skip(1);
      return Qualified(Sight::kFieldsOnly);
    }
    const std::string hint = Names::ValueHint(cursor_.Before(), cursor_.Now().text);
    return Stop(at, "expected a value, found " + cursor_.Found(), hint);
  }

  std::uint32_t Identifier() {
    const Token& token = cursor_.Now();
    const std::size_t at = token.at;
    const std::string_view name = token.text;
    if (name == "true" || name == "false") {
      cursor_.Skip(1);
      return builder_.Constant(Value::Bool(name == "true"), at);
    }
    if (name == "null") {
      cursor_.Skip(1);
      return builder_.Constant(Value::Null(), at);
    }
    if (name == "in") return Stop(at, "expected a value, found `in`");
    if (Names::IsReserved(name)) {
      return Stop(at, "`" + std::string(name) + "` is a reserved word", Names::ReservedHint(name));
    }
    return Qualified(Sight::kAll);
  }

  // A name or the longest row of names with dots that means something as a whole.
  enum class Sight { kAll, kFieldsOnly };
  std::uint32_t Qualified(Sight sight) {
    const Token first = cursor_.Now();
    std::string name(first.text);
    if (sight == Sight::kAll) {
      if (const auto variable = names_.FindVariable(name)) return Variable(*variable);
    }
    std::string longest = name;
    std::size_t tokens = 1;
    std::size_t count = 1;
    while (Cursor::IsSymbol(cursor_.Ahead(count), ".") &&
           cursor_.Ahead(count + 1).kind == TokenKind::kIdentifier) {
      name += "." + std::string(cursor_.Ahead(count + 1).text);
      count += 2;
      const bool call = Cursor::IsSymbol(cursor_.Ahead(count), "(");
      if (call ? name == "cel.bind" || HasGlobalFunction(name) : IsWholeName(name)) {
        longest = name;
        tokens = count;
      }
    }
    if (Cursor::IsSymbol(cursor_.Ahead(tokens), "(")) {
      cursor_.Skip(tokens);
      if (longest == "has") return Has(first.at);
      if (longest == "cel.bind") return Bind(first.at);
      return Call(first, longest, kNone);
    }
    if (Cursor::IsSymbol(cursor_.Ahead(tokens), "{")) {
      return Stop(first.at, "messages of protocol buffers, such as `" + longest +
                                "{...}`, are not supported");
    }
    return Field(sight == Sight::kAll ? names_.Resolve(longest) : longest, first.at, tokens);
  }
  bool IsWholeName(std::string_view name) const {
    return names_.IsKnown(names_.Resolve(name)) || Names::FindType(name).has_value();
  }
  static bool HasGlobalFunction(std::string_view name) {
    const std::vector<const Function*> all = Functions();
    return std::any_of(all.begin(), all.end(), [name](const auto* f) { return f->name == name; });
  }

  std::uint32_t Variable(std::uint16_t slot) {
    ExprNode node = Builder::Make(Op::kLocal, cursor_.Next().at);
    node.field = slot;
    return builder_.Add(std::move(node), {});
  }

  std::uint32_t Field(const std::string& name, std::size_t at, std::size_t tokens) {
    const bool quoted = cursor_.Now().kind == TokenKind::kQuotedName;
    cursor_.Skip(tokens);
    // Many records have a field `type`; see TakeTypeName().
    const bool may_be_type = name != "type" || !names_.IsOpen();
    if (!quoted && may_be_type && !names_.IsKnown(name)) {
      if (const auto type = Names::FindType(name))
        return builder_.Constant(Value::OfType(*type), at);
    }
    if (!names_.IsOpen() && !names_.IsKnown(name) && !dynamic_) {
      cursor_.Error(at, "there is no field `" + name + "` here", names_.FieldHint(name));
    }
    ExprNode node = Builder::Make(Op::kField, at);
    node.field = names_.Intern(name);
    node.type = names_.StaticType(name);
    node.constant = Value::String(builder_.Keep(name));
    return builder_.Add(std::move(node), {});
  }

  // has(value.name), and has(field), which plain CEL does not have.
  std::uint32_t Has(std::size_t at) {
    cursor_.Skip(1);
    const std::uint32_t inner = Ternary();
    if (inner == kNone || !cursor_.Expect(")")) return kNone;
    ExprNode& node = builder_.node(inner);
    if (node.op == Op::kField) {
      node.op = Op::kHasField;
    } else if (node.op == Op::kSelect) {
      node.op = Op::kHas;
    } else {
      cursor_.Error(at, "`has` takes a field, such as has(temp)");
    }
    node.type = Type::kBool;
    return inner;
  }

  // cel.bind(x, value, body): the body with x for the value.
  std::uint32_t Bind(std::size_t at) {
    cursor_.Skip(1);
    const Token name = cursor_.Next();
    if (!IsName(name)) {
      return Stop(name.at, "`cel.bind` takes the name of a variable first",
                  "it is called as `cel.bind(x, value, body)`");
    }
    const std::uint32_t value = cursor_.Expect(",") ? Ternary() : kNone;
    if (value == kNone || !cursor_.Expect(",") || !RoomForVariables(1, at)) return kNone;
    ExprNode node = Builder::Make(Op::kBind, at);
    node.field = names_.Enter(name.text);
    const std::uint32_t body = Ternary();
    names_.Leave(1);
    if (body == kNone || !cursor_.Expect(")")) return kNone;
    const std::uint32_t operands[] = {value, body};
    return builder_.Add(std::move(node), operands);
  }
  bool RoomForVariables(std::size_t count, std::size_t at) {
    if (names_.variables() + count <= kLocalsMax) return true;
    cursor_.Stop(at, "more than " + std::to_string(kLocalsMax) + " variables at once");
    return false;
  }

  std::uint32_t Call(const Token& name, std::string_view whole, std::uint32_t receiver) {
    cursor_.Skip(1);
    std::vector<std::uint32_t> arguments;
    if (receiver != kNone) arguments.push_back(receiver);
    if (!Items(")", arguments)) return kNone;
    if (whole == "dyn" && receiver == kNone && arguments.size() == 1) return Dynamic(arguments[0]);
    ExprNode node = Builder::Make(Op::kCall, name.at);
    node.function = FindFunction(whole, receiver != kNone, arguments.size());
    if (node.function == nullptr && !dynamic_) {
      const Names::Problem problem =
          names_.FunctionProblem(whole, receiver != kNone, arguments.size());
      cursor_.Error(name.at, problem.message, problem.hint);
    }
    return builder_.Add(std::move(node), arguments);
  }

  // dyn(x) is x, whose type nobody knows.
  std::uint32_t Dynamic(std::uint32_t value) {
    return builder_.Add(Op::kDynamic, builder_.node(value).at, {value});
  }

  // value.all(x, …) and the like; the variables are known in what follows them.
  std::uint32_t Expand(const Macro& macro, const Token& name, std::uint32_t range) {
    cursor_.Skip(1);
    ExprNode node = Builder::Make(macro.op, name.at);
    node.variables = static_cast<std::uint8_t>(CountVariables(macro));
    node.field = static_cast<std::uint16_t>(names_.variables());
    if (node.variables == 0) {
      return Stop(cursor_.Now().at,
                  "`" + std::string(name.text) + "` takes the name of a variable first, found " +
                      cursor_.Found(),
                  "it is called as `" + std::string(macro.signature) + "`");
    }
    if (!RoomForVariables(node.variables, name.at)) return kNone;
    for (std::uint8_t i = 0; i < node.variables; ++i) {
      names_.Enter(cursor_.Now().text);
      cursor_.Skip(2);
    }
    std::vector<std::uint32_t> operands = {range};
    const bool sound = Items(")", operands);
    names_.Leave(node.variables);
    if (!sound) return kNone;
    if (operands.size() < 2 || operands.size() - 1 > macro.bodies_max) {
      cursor_.Error(name.at, "`" + std::string(name.text) + "` has a wrong number of arguments",
                    "it is called as `" + std::string(macro.signature) + "`");
    }
    return builder_.Add(std::move(node), operands);
  }

  // Names with commas behind them at the cursor, as far as the macro takes them.
  std::size_t CountVariables(const Macro& macro) const {
    std::size_t count = 0;
    while (count < macro.variables_max && IsName(cursor_.Ahead(2 * count)) &&
           Cursor::IsSymbol(cursor_.Ahead(2 * count + 1), ",")) {
      ++count;
    }
    return count < macro.variables_min ? 0 : count;
  }

  // Values with commas up to `close`.
  bool Items(std::string_view close, std::vector<std::uint32_t>& items) {
    while (!cursor_.Take(close)) {
      const std::uint32_t item = Ternary();
      if (item == kNone) return false;
      items.push_back(item);
      if (cursor_.Take(close)) return true;
      if (!TakeComma(close)) return false;
    }
    return true;
  }
  bool TakeComma(std::string_view close) {
    if (cursor_.Take(",")) return true;
    cursor_.Stop(cursor_.Now().at,
                 "expected `,` or `" + std::string(close) + "`, found " + cursor_.Found());
    return false;
  }

  std::uint32_t Sequence(Op op, std::string_view close, std::size_t at) {
    std::vector<std::uint32_t> items;
    while (!cursor_.Take(close)) {
      items.push_back(Ternary());
      if (items.back() == kNone) return kNone;
      if (op == Op::kMap) {
        if (!cursor_.Expect(":")) return kNone;
        items.push_back(Ternary());
        if (items.back() == kNone) return kNone;
      }
      if (!cursor_.Is(close) && !TakeComma(close)) return kNone;
    }
    return builder_.Add(Builder::Make(op, at), items);
  }

  Cursor cursor_;
  Names names_;
  const int depth_max_;
  Builder builder_;
  const bool dynamic_;
  int depth_ = 0;
};

}  // namespace

std::optional<Ast> Parse(std::string_view text, const Place& place, const Scope& scope,
                         const ExpressionLimits& limits, Diagnostics& diagnostics) {
  return Parser(text, place, scope, limits, diagnostics).Run();
}

}  // namespace runnel::expr
