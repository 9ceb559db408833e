#include "pipelines/windows/aggregate_calls.h"

#include <algorithm>
#include <charconv>

#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

struct FilteredOptions {
  std::string aggregate;
  std::optional<std::string> filter;
  static void Describe(Schema<FilteredOptions>& schema) {
    schema.Required("aggregate", &FilteredOptions::aggregate, "The aggregate.").NotEmpty();
    schema.Optional("filter", &FilteredOptions::filter, "Which records it sees.");
  }
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

// `quantile(temp, 0.95)` taken apart: name, arguments as text, where each begins.
struct AggregateCompiler::Call {
  std::string name;
  std::vector<std::pair<std::string, std::size_t>> arguments;
  bool stands_alone = true;  // nothing behind the bracket that closes it
};

// The arguments between the outer brackets, split at commas that stand in no bracket
// and no quotes.
std::optional<AggregateCompiler::Call> AggregateCompiler::Split(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::string_view trimmed = Trim(text);
  if (open == std::string_view::npos || trimmed.empty() || trimmed.back() != ')')
    return std::nullopt;
  Call call;
  call.name = std::string(Trim(text.substr(0, open)));
  const std::size_t close = text.rfind(')');
  int depth = 0;
  char quote = 0;
  std::size_t begin = open + 1;
  const auto add = [&](std::size_t end) {
    const std::string_view raw = text.substr(begin, end - begin);
    const std::string_view argument = Trim(raw);
    const std::size_t at =
        begin + static_cast<std::size_t>(raw.find_first_not_of(' ') == std::string_view::npos
                                             ? 0
                                             : raw.find_first_not_of(' '));
    call.arguments.emplace_back(argument, at);
    begin = end + 1;
  };
  for (std::size_t i = open + 1; i < close; ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (c == ')' || c == ']' || c == '}') {
      if (--depth < 0) call.stands_alone = false;
    } else if (c == ',' && depth == 0) {
      add(i);
    }
  }
  if (begin < close || !call.arguments.empty()) add(close);
  if (call.arguments.size() == 1 && call.arguments[0].first.empty()) call.arguments.clear();
  return call;
}

bool AggregateCompiler::Fail(const Position& position, std::string message, std::string hint) {
  context_.diagnostics.Error(position, std::move(message), std::move(hint));
  return false;
}

bool AggregateCompiler::Add(const std::string& name, const Node& node) {
  AggregateColumn column;
  column.name = name;
  if (node.IsMap()) {
    const std::optional<FilteredOptions> options =
        Read<FilteredOptions>(node, name, context_.diagnostics);
    if (!options.has_value()) return false;
    column.text = options->aggregate;
    if (!CompileCall(column.text, node.Find("aggregate")->position, column)) return false;
    if (options->filter.has_value()) {
      const Position& at = node.Find("filter")->position;
      column.filter = Argument(*options->filter, at);
      if (column.filter < 0) return false;
      const Expression& filter = *plan_.arguments[static_cast<std::size_t>(column.filter)];
      if (!CheckCondition(context_, filter, "filter", at)) return false;
      plan_.takes_numbers = false;
      column.text += " where " + *options->filter;
    }
  } else if (node.IsScalar()) {
    column.text = node.text;
    if (!CompileCall(column.text, node.position, column)) return false;
  } else {
    return Fail(node.position,
                "expected an aggregate, such as mean(temp), found " + std::string(node.KindName()));
  }
  column.offset = offset_;
  offset_ += (column.aggregate->size() + 7) / 8 * 8;
  plan_.block_size = plan_.head_size + offset_;
  plan_.takes_numbers &= column.aggregate->TakesNumbers();
  plan_.columns.push_back(std::move(column));
  return true;
}

// Of an aggregate that is not known.
std::string AggregateCompiler::HintFor(const Call& call) const {
  // `p95(v)`, `p999(v)`.
  const std::string_view name = call.name;
  const std::string_view digits = name.substr(std::min<std::size_t>(1, name.size()));
  const bool percentile = (name.starts_with('p') || name.starts_with('P')) && digits.size() >= 2 &&
                          digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (percentile && call.arguments.size() == 1) {
    return "write it as `quantile(" + std::string(call.arguments[0].first) + ", 0." +
           std::string(digits) + ")`";
  }
  const std::string_view meant = DidYouMean(call.name, context_.registry.AggregateNames());
  return meant.empty() ? "`runnel list` has all aggregates"
                       : "did you mean `" + std::string(meant) + "`?";
}

bool AggregateCompiler::CompileCall(const std::string& text, const Position& position,
                                    AggregateColumn& column) {
  const std::optional<Call> call = Split(text);
  if (!call.has_value()) {
    return Fail(position, "expected an aggregate, such as mean(temp), found `" + text + "`");
  }
  if (!call->stands_alone) {
    return Fail(position, "an aggregate stands alone, found `" + text + "`",
                "give each a name, and compute with the names in a `set` behind the window");
  }
  const AggregateSpec* spec = context_.registry.FindAggregate(call->name);
  if (spec == nullptr) {
    return Fail(position, "unknown aggregate `" + call->name + "`", HintFor(*call));
  }
  if (call->arguments.size() == 1 && call->arguments[0].first == "*") {
    return Fail(position, "`*` is not a value", "`count()` counts all records");
  }
  const int given = static_cast<int>(call->arguments.size());
  const int values = std::min(given - spec->parameters_min, spec->values_max);
  const int parameters = given - values;
  if (values < spec->values_min || parameters > spec->parameters_max) {
    return Fail(position,
                "`" + call->name + "` does not take " + std::to_string(given) + " arguments",
                "it is written as `" + std::string(spec->signature) + "`");
  }
  AggregateCall made;
  made.values = values;
  if (!ReadParameters(*call, static_cast<std::size_t>(values), position, made.parameters)) {
    return false;
  }
  column.arguments = values;
  if (values > 0) column.argument = Arguments(*call, values, *spec, position);
  if (values > 0 && column.argument < 0) return false;
  // Most aggregates are null for no values: nothing to check types against.
  if (spec->name.starts_with("count")) column.result = spec->result;
  std::string problem;
  column.algebra = spec->algebra;
  column.aggregate = spec->make(made, problem);
  return column.aggregate != nullptr || Fail(position, problem);
}

// A number, or a duration as seconds.
bool AggregateCompiler::ReadParameters(const Call& call, std::size_t from, const Position& position,
                                       std::vector<double>& parameters) {
  for (std::size_t i = from; i < call.arguments.size(); ++i) {
    const std::string& text = call.arguments[i].first;
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
      const std::optional<Duration> duration = ParseDuration(text);
      if (!duration.has_value()) {
        Position at = position;
        at.column += static_cast<int>(call.arguments[i].second);
        return Fail(at, "expected a number here, found `" + text + "`");
      }
      number = static_cast<double>(duration->count()) / 1e6;
    }
    parameters.push_back(number);
  }
  return true;
}

// The number of the first of the call's values among the arguments of all aggregates;
// those of one call stand in a row.
int AggregateCompiler::Arguments(const Call& call, int count, const AggregateSpec& spec,
                                 const Position& position) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    all.append(i > 0 ? "\n" : "").append(call.arguments[static_cast<std::size_t>(i)].first);
  }
  const auto found = known_.find(all);
  const int first =
      found != known_.end() ? found->second : static_cast<int>(plan_.arguments.size());
  for (int i = 0; i < count && found == known_.end(); ++i) {
    const auto& [text, column] = call.arguments[static_cast<std::size_t>(i)];
    Position at = position;
    at.column += static_cast<int>(column);
    std::unique_ptr<Expression> expression = CompileExpression(context_, text, at);
    if (expression == nullptr) return -1;
    plan_.arguments.push_back(std::move(expression));
  }
  known_.emplace(all, first);
  for (int i = 0; i < count; ++i) {
    const expr::Types types = plan_.arguments[static_cast<std::size_t>(first + i)]->possible();
    const bool takes_bool = spec.takes == Type::kBool;
    const expr::Types taken = takes_bool ? expr::Types{Type::kBool} : expr::kNumberType;
    if (spec.takes == Type::kMissing || types.Meets(taken | expr::Types{Type::kNull})) continue;
    Position at = position;
    at.column += static_cast<int>(call.arguments[static_cast<std::size_t>(i)].second);
    Fail(at, "`" + call.name + "` takes " + (takes_bool ? "a bool" : "a number") + ", found " +
                 expr::Spelled(types));
    return -1;
  }
  return first;
}

int AggregateCompiler::Argument(const std::string& text, const Position& position) {
  const auto found = known_.find(text);
  if (found != known_.end()) return found->second;
  std::unique_ptr<Expression> expression = CompileExpression(context_, text, position);
  if (expression == nullptr) return -1;
  plan_.arguments.push_back(std::move(expression));
  const int number = static_cast<int>(plan_.arguments.size()) - 1;
  known_.emplace(text, number);
  return number;
}

}  // namespace runnel
