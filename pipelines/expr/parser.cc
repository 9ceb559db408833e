#include "pipelines/expr/parser.h"

#include <algorithm>
#include <utility>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  int level;  // higher binds closer
  Op op;
};

constexpr BinaryOperator kBinary[] = {
    {"||", 1, Op::kOr},       {"&&", 2, Op::kAnd},          {"<", 3, Op::kLess},
    {"<=", 3, Op::kLessEqual}, {">", 3, Op::kGreater},      {">=", 3, Op::kGreaterEqual},
    {"==", 3, Op::kEqual},    {"!=", 3, Op::kNotEqual},     {"in", 3, Op::kIn},
    {"+", 4, Op::kAdd},       {"-", 4, Op::kSubtract},      {"*", 5, Op::kMultiply},
    {"/", 5, Op::kDivide},    {"%", 5, Op::kModulo},
};
constexpr int kLowestLevel = 1;
constexpr std::uint32_t kFailed = UINT32_MAX;

class Parser final {
 public:
  Parser(std::string_view text, const Place& place, const Scope& scope,
         const ExpressionLimits& limits, Diagnostics& diagnostics)
      : text_(text), place_(place), scope_(scope), limits_(limits), diagnostics_(diagnostics) {}

  std::optional<Ast> Run() {
    tokens_ = Tokenize(text_, place_, diagnostics_);
    if (tokens_.empty()) return std::nullopt;
    if (Now().kind == TokenKind::kEnd) {
      Fail(0, "an expression is expected, found nothing");
      return std::nullopt;
    }
    const std::uint32_t root = Ternary();
    if (root == kFailed) return std::nullopt;
    if (Now().kind != TokenKind::kEnd) {
      Fail(Now().at, "expected an operator or the end, found " + Found());
      return std::nullopt;
    }
    ast_.root = root;
    return failed_ ? std::nullopt : std::optional(std::move(ast_));
  }

 private:
  const Token& Now() const { return tokens_[next_]; }
  bool Is(std::string_view symbol) const {
    return Now().kind == TokenKind::kSymbol && Now().text == symbol;
  }
  bool Take(std::string_view symbol) {
    if (!Is(symbol)) return false;
    ++next_;
    return true;
  }
  std::string Found() const {
    if (Now().kind == TokenKind::kEnd) return "the end";
    const std::size_t end = next_ + 1 < tokens_.size() ? tokens_[next_ + 1].at : text_.size();
    std::string_view found = text_.substr(Now().at, end - Now().at);
    while (found.ends_with(' ')) found.remove_suffix(1);
    return "`" + std::string(found.substr(0, 40)) + "`";
  }
  std::uint32_t Fail(std::size_t at, std::string message, std::string hint = {}) {
    if (!failed_) diagnostics_.Error(place_.At(text_, at), std::move(message), std::move(hint));
    failed_ = true;
    return kFailed;
  }
  std::uint32_t Expect(std::string_view symbol, std::uint32_t node) {
    if (node == kFailed || Take(symbol)) return node;
    return Fail(Now().at, "expected `" + std::string(symbol) + "`, found " + Found());
  }
  std::uint32_t Add(ExprNode node) {
    ast_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(ast_.nodes.size() - 1);
  }
  ExprNode Make(Op op, std::size_t at, std::initializer_list<std::uint32_t> operands) {
    ExprNode node;
    node.op = op;
    node.at = at;
    node.count = static_cast<std::uint32_t>(operands.size());
    std::copy(operands.begin(), operands.end(), node.operands);
    return node;
  }
  std::string_view Keep(std::string text) {
    ast_.texts.push_back(std::make_unique<std::string>(std::move(text)));
    return *ast_.texts.back();
  }
  std::uint32_t Constant(const Value& value, std::size_t at) {
    ExprNode node = Make(Op::kConstant, at, {});
    node.constant = value;
    return Add(std::move(node));
  }

  // Counts nesting: deep input must not use up the stack.
  class Level final {
   public:
    explicit Level(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    bool TooDeep() const { return parser_.depth_ > parser_.limits_.depth_max; }

   private:
    Parser& parser_;
  };

  std::uint32_t Ternary() {
    const Level level(*this);
    if (level.TooDeep()) {
      return Fail(Now().at, "the expression is nested deeper than " +
                                std::to_string(limits_.depth_max) + " levels");
    }
    const std::uint32_t condition = Binary(kLowestLevel);
    const std::size_t at = Now().at;
    if (condition == kFailed || !Take("?")) return condition;
    const std::uint32_t yes = Expect(":", Binary(kLowestLevel));
    if (yes == kFailed) return kFailed;
    const std::uint32_t no = Ternary();
    if (no == kFailed) return kFailed;
    return Add(Make(Op::kTernary, at, {condition, yes, no}));
  }

  const BinaryOperator* OperatorHere(int level) const {
    const bool word = Now().kind == TokenKind::kIdentifier && Now().text == "in";
    if (Now().kind != TokenKind::kSymbol && !word) return nullptr;
    for (const BinaryOperator& each : kBinary) {
      if (each.level == level && each.symbol == Now().text) return &each;
    }
    return nullptr;
  }

  std::uint32_t Binary(int level) {
    if (level > 5) return Unary();
    std::uint32_t left = Binary(level + 1);
    while (left != kFailed) {
      const BinaryOperator* op = OperatorHere(level);
      if (op == nullptr) return left;
      const std::size_t at = Now().at;
      ++next_;
      const std::uint32_t right = Binary(level + 1);
      if (right == kFailed) return kFailed;
      left = Add(Make(op->op, at, {left, right}));
    }
    return kFailed;
  }

  std::uint32_t Unary() {
    const Level level(*this);
    if (level.TooDeep()) {
      return Fail(Now().at, "the expression is nested deeper than " +
                                std::to_string(limits_.depth_max) + " levels");
    }
    const std::size_t at = Now().at;
    if (Take("!")) {
      const std::uint32_t operand = Unary();
      return operand == kFailed ? kFailed : Add(Make(Op::kNot, at, {operand}));
    }
    if (Is("-")) {
      ++next_;
      if (Now().kind == TokenKind::kInt || Now().kind == TokenKind::kDouble) return Member(Number(true));
      const std::uint32_t operand = Unary();
      return operand == kFailed ? kFailed : Add(Make(Op::kNegate, at, {operand}));
    }
    return Member(Primary());
  }

  std::uint32_t Number(bool negative) {
    const Token& token = tokens_[next_++];
    if (token.kind == TokenKind::kDouble) {
      return Constant(Value::Double(negative ? -token.number : token.number), token.at);
    }
    const auto magnitude = static_cast<std::uint64_t>(token.integer);
    if (!negative && magnitude == std::uint64_t{1} << 63) {
      return Fail(token.at, "a number that does not fit 64 bits");
    }
    return Constant(Value::Int(static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude)),
                    token.at);
  }

  // What may stand behind a value: `.name`, `.name(…)`, `[…]`.
  std::uint32_t Member(std::uint32_t value) {
    while (value != kFailed) {
      const std::size_t at = Now().at;
      if (Take(".")) {
        if (Now().kind != TokenKind::kIdentifier) {
          return Fail(Now().at, "expected a name behind `.`, found " + Found());
        }
        const Token name = tokens_[next_++];
        if (Is("(")) {
          value = Call(name, value);
        } else {
          ExprNode node = Make(Op::kSelect, name.at, {value});
          node.constant = Value::String(Keep(std::string(name.text)));
          value = Add(std::move(node));
        }
      } else if (Take("[")) {
        const std::uint32_t index = Expect("]", Ternary());
        value = index == kFailed ? kFailed : Add(Make(Op::kIndex, at, {value, index}));
      } else {
        return value;
      }
    }
    return kFailed;
  }

  std::uint32_t Primary() {
    const Token& token = Now();
    switch (token.kind) {
      case TokenKind::kInt:
      case TokenKind::kDouble:
        return Number(false);
      case TokenKind::kUint:
        ++next_;
        return Constant(Value::Uint(static_cast<std::uint64_t>(token.integer)), token.at);
      case TokenKind::kString:
        ++next_;
        return Constant(Value::String(Keep(token.value)), token.at);
      case TokenKind::kBytes:
        ++next_;
        return Constant(Value::Bytes(Keep(token.value)), token.at);
      case TokenKind::kIdentifier:
        return Name();
      default:
        break;
    }
    if (Take("(")) return Expect(")", Ternary());
    if (Take("[")) return Sequence(Op::kList, "]", token.at);
    if (Take("{")) return Sequence(Op::kMap, "}", token.at);
    return Fail(token.at, "expected a value, found " + Found());
  }

  std::uint32_t Name() {
    const Token token = tokens_[next_++];
    if (token.text == "true" || token.text == "false") {
      return Constant(Value::Bool(token.text == "true"), token.at);
    }
    if (token.text == "null") return Constant(Value::Null(), token.at);
    if (Is("(")) return token.text == "has" ? Has(token.at) : Call(token, kFailed);
    if (scope_.known != nullptr &&
        std::find(scope_.known->begin(), scope_.known->end(), token.text) == scope_.known->end()) {
      std::vector<std::string_view> names(scope_.known->begin(), scope_.known->end());
      const std::string_view meant = DidYouMean(token.text, names);
      return Fail(token.at, "there is no field `" + std::string(token.text) + "` here",
                  meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
    }
    ExprNode node = Make(Op::kField, token.at, {});
    node.field = scope_.fields->Intern(token.text);
    node.type = StaticType(token.text);
    return Add(std::move(node));
  }

  Type StaticType(std::string_view name) const {
    if (scope_.known == nullptr || scope_.types == nullptr) return Type::kMissing;
    const auto found = std::find(scope_.known->begin(), scope_.known->end(), name);
    return (*scope_.types)[static_cast<std::size_t>(found - scope_.known->begin())];
  }

  // has(field) and has(value.field).
  std::uint32_t Has(std::size_t at) {
    ++next_;  // (
    const std::uint32_t inner = Expect(")", Ternary());
    if (inner == kFailed) return kFailed;
    const Op op = ast_.nodes[inner].op;
    if (op != Op::kField && op != Op::kSelect) {
      return Fail(at, "`has` takes a field, such as has(temp)");
    }
    ExprNode node = Make(Op::kHas, at, {inner});
    return Add(std::move(node));
  }

  std::uint32_t Call(const Token& name, std::uint32_t receiver) {
    ++next_;  // (
    std::vector<std::uint32_t> arguments;
    if (receiver != kFailed) arguments.push_back(receiver);
    if (!Items(")", arguments)) return kFailed;
    const Function* function = FindFunction(name.text, receiver != kFailed, arguments.size());
    if (function == nullptr) return UnknownFunction(name, arguments.size());
    ExprNode node = Make(Op::kCall, name.at, {});
    node.function = function;
    node.first = static_cast<std::uint32_t>(ast_.children.size());
    node.count = static_cast<std::uint32_t>(arguments.size());
    ast_.children.insert(ast_.children.end(), arguments.begin(), arguments.end());
    return Add(std::move(node));
  }

  std::uint32_t UnknownFunction(const Token& name, std::size_t arguments) {
    std::vector<std::string_view> names;
    for (const Function& function : Functions()) {
      if (function.name == name.text) {
        return Fail(name.at, "`" + std::string(name.text) + "` does not take " +
                                 std::to_string(arguments) + " arguments",
                    "it is called as `" + std::string(function.signature) + "`");
      }
      names.push_back(function.name);
    }
    const std::string_view meant = DidYouMean(name.text, names);
    return Fail(name.at, "there is no function `" + std::string(name.text) + "`",
                meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
  }

  // Values with commas up to `close`.
  bool Items(std::string_view close, std::vector<std::uint32_t>& items) {
    while (!Take(close)) {
      const std::uint32_t item = Ternary();
      if (item == kFailed) return false;
      items.push_back(item);
      if (Take(close)) return true;
      if (!Take(",")) {
        Fail(Now().at, "expected `,` or `" + std::string(close) + "`, found " + Found());
        return false;
      }
    }
    return true;
  }

  std::uint32_t Sequence(Op op, std::string_view close, std::size_t at) {
    std::vector<std::uint32_t> items;
    while (!Take(close)) {
      const std::uint32_t first = op == Op::kMap ? Expect(":", Ternary()) : Ternary();
      if (first == kFailed) return kFailed;
      items.push_back(first);
      if (op == Op::kMap) {
        const std::uint32_t value = Ternary();
        if (value == kFailed) return kFailed;
        items.push_back(value);
      }
      if (!Is(close) && !Take(",")) {
        return Fail(Now().at, "expected `,` or `" + std::string(close) + "`, found " + Found());
      }
    }
    ExprNode node = Make(op, at, {});
    node.first = static_cast<std::uint32_t>(ast_.children.size());
    node.count = static_cast<std::uint32_t>(items.size());
    ast_.children.insert(ast_.children.end(), items.begin(), items.end());
    return Add(std::move(node));
  }

  std::string_view text_;
  const Place& place_;
  const Scope& scope_;
  const ExpressionLimits& limits_;
  Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
  bool failed_ = false;
  Ast ast_;
};

}  // namespace

std::optional<Ast> Parse(std::string_view text, const Place& place, const Scope& scope,
                         const ExpressionLimits& limits, Diagnostics& diagnostics) {
  return Parser(text, place, scope, limits, diagnostics).Run();
}

}  // namespace runnel::expr
