// window: groups records by time and key and aggregates each group.
//
// A result has the key's fields, the aggregates, `start` and `end` (milliseconds since
// 1970 UTC, `end` exclusive), and `partial: true` where it was emitted early.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "pipelines/base/hash.h"
#include "pipelines/operators/operator.h"
#include "pipelines/plan/registry.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Options {
  Duration tumbling{};
  Node key;
  Duration lateness{};
  std::optional<Duration> idle;
  Duration max_ahead = hours(1);
  Ahead ahead = Ahead::kReject;
  std::int64_t keys_max = 10'000;
  KeysFull keys_full = KeysFull::kReject;
  std::int64_t windows_max = 64;
  std::vector<std::pair<std::string, std::string>> aggregate;

  static void Describe(Schema<Options>& schema) {
    schema.Required("tumbling", &Options::tumbling, "Length of a window; aligned to 1970 UTC.")
        .AtLeast(milliseconds(1))
        .Example("10s");
    schema
        .Optional("key", &Options::key,
                  "A field or expression, or a list of them; each key has windows of its own.")
        .Example("device");
    schema.Optional("lateness", &Options::lateness,
                    "How far a key's records may come behind its latest one, in event time.");
    schema
        .Optional("idle", &Options::idle,
                  "Silence of a key after which its windows close; without it the window "
                  "plus lateness, at least 30s.")
        .AtLeast(milliseconds(1));
    schema.Optional("max_ahead", &Options::max_ahead,
                    "How far an event time may be ahead of the arrival.");
    schema.Optional("ahead", &Options::ahead, "What happens to a record further ahead.")
        .OneOf({{"reject", Ahead::kReject}, {"clamp", Ahead::kClamp}});
    schema.Optional("keys_max", &Options::keys_max, "Keys that a task remembers.")
        .Between(1, 10'000'000);
    schema.Optional("keys_full", &Options::keys_full, "What happens to one key more.")
        .OneOf({{"reject", KeysFull::kReject}, {"evict_oldest", KeysFull::kEvictOldest}});
    schema.Optional("windows_max", &Options::windows_max, "Open windows of one key.")
        .Between(1, 10'000);
    schema.Required("aggregate", &Options::aggregate, "Names and their aggregates.")
        .NotEmpty()
        .Example("{ n: count(), mean: mean(temp) }");
  }
};

class WindowOperator final : public Operator {
 public:
  explicit WindowOperator(WindowPlan plan) : plan_(std::move(plan)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion& region, int root) const override {
    return WindowRun::Start(plan_, region, root);
  }
  std::string Explain() const override { return plan_.text; }
  std::string StateMark() const override { return plan_.mark; }
  std::uint64_t StateBytesMax() const override {
    std::uint64_t window = StateRegion::Rounded(plan_.block_size);
    for (const AggregateColumn& column : plan_.columns) window += column.aggregate->extra_max();
    constexpr std::uint64_t kKeyBytes = 64;  // a longer key takes more
    const std::uint64_t key = StateRegion::Rounded(sizeof(KeyEntry) + kKeyBytes) + 3 * 8;
    return plan_.keys_max * (key + plan_.windows_max * window);
  }
  std::optional<std::vector<std::string>> Key() const override {
    std::vector<std::string> texts;
    for (const KeyPart& part : plan_.key) texts.push_back(part.text);
    return texts;
  }
  Result<std::uint64_t> KeyHash(const Record& record, Arena& arena) const override {
    std::string key;
    if (const char* reason = EncodeKey(plan_, record, arena, key)) {
      return Error{ErrorKind::kFix, reason};
    }
    return Hash(key);
  }

 private:
  WindowPlan plan_;
};

// `quantile(temp, 0.95)` taken apart: name, arguments as text, where each begins.
struct Call {
  std::string name;
  std::vector<std::pair<std::string, std::size_t>> arguments;
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The arguments between the outer brackets, split at commas that stand in no bracket
// and no quotes.
std::optional<Call> SplitCall(std::string_view text) {
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
      --depth;
    } else if (c == ',' && depth == 0) {
      add(i);
    }
  }
  if (begin < close || !call.arguments.empty()) add(close);
  if (call.arguments.size() == 1 && call.arguments[0].first.empty()) call.arguments.clear();
  return call;
}

class Compiler final {
 public:
  Compiler(StepContext& context, const Options& options) : context_(context), options_(options) {}

  std::unique_ptr<const Operator> Run() {
    SetTimes();
    CompileKey();
    CompileAggregates();
    if (!ok_) return nullptr;
    SetFields();
    Describe();
    return std::make_unique<WindowOperator>(std::move(plan_));
  }

 private:
  void Fail(const Position& position, std::string message, std::string hint = {}) {
    context_.diagnostics.Error(position, std::move(message), std::move(hint));
    ok_ = false;
  }
  const Position& PlaceOf(const char* option) const {
    const Node* node = context_.node.Find(option);
    return node == nullptr ? context_.at : node->position;
  }

  void SetTimes() {
    plan_.tumbling.size = options_.tumbling.count();
    plan_.event_time = context_.event_time;
    plan_.lateness = options_.lateness.count();
    const Duration idle = options_.idle.value_or(
        std::max<Duration>(options_.tumbling + options_.lateness, seconds(30)));
    plan_.idle = idle.count();
    plan_.idle_grid = std::clamp<std::int64_t>(plan_.idle / 8, 1000, 1'000'000);
    plan_.max_ahead = options_.max_ahead.count();
    plan_.ahead = options_.ahead;
    plan_.keys_max = static_cast<std::uint32_t>(options_.keys_max);
    plan_.keys_full = options_.keys_full;
    plan_.windows_max = static_cast<std::uint32_t>(options_.windows_max);
    for (const char* option : {"lateness", "idle", "max_ahead"}) {
      if (!context_.event_time && context_.node.Find(option) != nullptr) {
        Fail(PlaceOf(option), "`" + std::string(option) + "` needs event time",
             "name the field with the time: `timestamp: ts`");
      }
    }
  }

  void CompileKey() {
    const Node& key = options_.key;
    if (key.kind == Node::Kind::kNull) return;
    if (key.IsSequence()) {
      for (const Node& item : key.items) AddKey(item);
    } else {
      AddKey(key);
    }
  }
  void AddKey(const Node& node) {
    if (!node.IsScalar()) {
      return Fail(node.position, "`key` is a field, an expression or a list of them, found " +
                                     std::string(node.KindName()));
    }
    KeyPart part;
    part.text = node.text;
    part.expression = CompileExpression(context_, node.text, node.position);
    if (part.expression == nullptr) {
      ok_ = false;
      return;
    }
    const int field = part.expression->AsField();
    part.name = field >= 0
                    ? std::string(context_.fields->name(static_cast<std::uint16_t>(field)))
                    : (plan_.key.empty() ? "key" : "key" + std::to_string(plan_.key.size() + 1));
    AddName(part.name, node.position);
    plan_.key.push_back(std::move(part));
  }

  void AddName(const std::string& name, const Position& position) {
    if (name == "start" || name == "end" || name == "partial") {
      return Fail(position, "`" + name + "` is a field that every window has, choose another name");
    }
    if (!names_.insert(name).second) Fail(position, "`" + name + "` is there twice");
    produced_.push_back(name);
  }

  void CompileAggregates() {
    const Node& node = *context_.node.Find("aggregate");
    std::size_t offset = 0;
    for (std::size_t i = 0; i < options_.aggregate.size(); ++i) {
      const auto& [name, text] = options_.aggregate[i];
      AddName(name, node.members[i].position);
      AggregateColumn column;
      column.name = name;
      column.text = text;
      column.aggregate = CompileAggregate(text, node.members[i].value.position, column.argument);
      if (column.aggregate == nullptr) {
        ok_ = false;
        continue;
      }
      column.offset = offset;
      offset += (column.aggregate->size() + 7) / 8 * 8;
      plan_.columns.push_back(std::move(column));
    }
    plan_.block_size = 16 + offset;
  }

  std::unique_ptr<const Aggregate> CompileAggregate(const std::string& text,
                                                    const Position& position, int& argument) {
    const std::optional<Call> call = SplitCall(text);
    if (!call.has_value()) {
      Fail(position, "expected an aggregate, such as mean(temp), found `" + text + "`");
      return nullptr;
    }
    const AggregateSpec* spec = context_.registry.FindAggregate(call->name);
    if (spec == nullptr) {
      const std::string_view meant = DidYouMean(call->name, context_.registry.AggregateNames());
      Fail(position, "unknown aggregate `" + call->name + "`",
           meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
      return nullptr;
    }
    const int given = static_cast<int>(call->arguments.size());
    const int values = given - spec->parameters;
    if (values < spec->values_min || values > spec->values_max) {
      Fail(position, "`" + call->name + "` does not take " + std::to_string(given) + " arguments",
           "it is written as `" + spec->signature + "`");
      return nullptr;
    }
    std::vector<double> parameters;
    if (!ReadParameters(*call, values, position, parameters)) return nullptr;
    if (values > 0) argument = Argument(call->arguments[0], position);
    if (values > 0 && argument < 0) return nullptr;
    std::string problem;
    std::unique_ptr<const Aggregate> aggregate = spec->make(parameters, problem);
    if (aggregate == nullptr) Fail(position, problem);
    return aggregate;
  }

  bool ReadParameters(const Call& call, int values, const Position& position,
                      std::vector<double>& parameters) {
    for (std::size_t i = static_cast<std::size_t>(values); i < call.arguments.size(); ++i) {
      const std::string& text = call.arguments[i].first;
      double number = 0;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
      if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
        Position at = position;
        at.column += static_cast<int>(call.arguments[i].second);
        Fail(at, "expected a number here, found `" + text + "`");
        return false;
      }
      parameters.push_back(number);
    }
    return true;
  }

  // The number of the argument among those of all aggregates: each is evaluated once.
  int Argument(const std::pair<std::string, std::size_t>& argument, const Position& position) {
    const auto found = arguments_.find(argument.first);
    if (found != arguments_.end()) return found->second;
    Position at = position;
    at.column += static_cast<int>(argument.second);
    std::unique_ptr<Expression> expression = CompileExpression(context_, argument.first, at);
    if (expression == nullptr) return -1;
    plan_.arguments.push_back(std::move(expression));
    const int number = static_cast<int>(plan_.arguments.size()) - 1;
    arguments_.emplace(argument.first, number);
    return number;
  }

  void SetFields() {
    FieldTable& fields = *context_.produced_fields;
    for (KeyPart& part : plan_.key) part.result_field = fields.Intern(part.name);
    for (AggregateColumn& column : plan_.columns) column.result_field = fields.Intern(column.name);
    plan_.start_field = fields.Intern("start");
    plan_.end_field = fields.Intern("end");
    plan_.partial_field = fields.Intern("partial");
    for (const char* name : {"start", "end", "partial"}) produced_.push_back(name);
    context_.produces = std::move(produced_);
  }

  void Describe() {
    std::string key;
    for (const KeyPart& part : plan_.key) key += (key.empty() ? "" : ", ") + part.text;
    std::string aggregates;
    for (const AggregateColumn& column : plan_.columns) {
      aggregates += (aggregates.empty() ? "" : ", ") + column.name + " = " + column.text;
    }
    const std::string size = FormatDuration(microseconds(plan_.tumbling.size));
    plan_.text = "window  tumbling " + size +
                 (plan_.event_time ? ", event time" : ", arrival time") +
                 (key.empty() ? ", no key" : ", key " + key) + "\n        " + aggregates;
    if (plan_.event_time) {
      plan_.text += "\n        lateness " + FormatDuration(microseconds(plan_.lateness)) +
                    ", idle " + FormatDuration(microseconds(plan_.idle)) + ", max_ahead " +
                    FormatDuration(microseconds(plan_.max_ahead));
    }
    plan_.mark = "tumbling " + size + (plan_.event_time ? " event" : " arrival") + " key " + key +
                 " aggregate " + aggregates;
  }

  StepContext& context_;
  const Options& options_;
  WindowPlan plan_;
  std::set<std::string> names_;
  std::vector<std::string> produced_;
  std::map<std::string, int> arguments_;
  bool ok_ = true;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const std::optional<Options> options =
      Read<Options>(context.node, "window", context.diagnostics, &context.at);
  return options.has_value() ? Compiler(context, *options).Run() : nullptr;
}

}  // namespace

OperatorSpec operators::window() {
  return {"window", "Groups records by time and key and aggregates each group.", Compile,
          Describe<Options>};
}

}  // namespace runnel
