// window: groups records by time and key and aggregates each group.
//
// A result has the key's fields, the aggregates, `start` and `end` (milliseconds since
// 1970 UTC, `end` exclusive), and `partial: true` where it was emitted early.
#include <algorithm>
#include <set>
#include <utility>

#include "pipelines/operators/operator.h"
#include "pipelines/windows/aggregate_calls.h"
#include "pipelines/windows/window_options.h"
#include "pipelines/windows/window_run.h"

namespace runnel {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kPanesMax = 1'000;
// Longer than there is between any two times, and no sum or difference of it overflows.
constexpr std::int64_t kWithoutEnd = INT64_MAX / 4;

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
    return plan_.keys_max * (WindowRun::KeyBytes() + plan_.windows_max * window);
  }
  std::uint64_t StateBytesPerKey() const override {
    return WindowRun::KeyBytes() + StateRegion::Rounded(plan_.block_size);
  }
  bool MakesRecords() const override { return true; }
  std::optional<std::vector<std::string>> Key() const override { return plan_.key.Texts(); }
  const WindowPlan* Window() const override { return &plan_; }
  Result<std::uint64_t> KeyHash(const Record& record, Arena& arena) const override {
    return plan_.key.Hash(record, arena);
  }

 private:
  WindowPlan plan_;
};

class Compiler final {
 public:
  Compiler(StepContext& context, const WindowOptions& options)
      : context_(context), options_(options) {}

  std::unique_ptr<const Operator> Run() {
    plan_.event_time = context_.event_time;
    SetKind();
    plan_.head_size = WindowRun::HeadSize(plan_.kind);
    SetEarly();
    SetTimes();
    CompileKey();
    CompileAggregates();
    if (!ok_) return nullptr;
    SetFeeds();
    SetFields();
    CompileTrigger();
    if (!ok_) return nullptr;
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

  void SetKind() {
    const std::pair<const char*, bool> kinds[] = {
        {"tumbling", options_.tumbling.has_value()}, {"hopping", options_.hopping.has_value()},
        {"sliding", options_.sliding.has_value()},   {"session", options_.session.has_value()},
        {"count", options_.count.has_value()},       {"global", options_.global.has_value()}};
    const char* chosen = nullptr;
    for (const auto& [name, given] : kinds) {
      if (!given) continue;
      if (chosen != nullptr) {
        return Fail(PlaceOf(name),
                    "a window is `" + std::string(chosen) + "` or `" + name + "`, not both");
      }
      chosen = name;
    }
    if (chosen == nullptr) {
      return Fail(context_.at,
                  "`window` needs a kind: `tumbling`, `hopping`, `sliding`, `session`, "
                  "`count` or `global`",
                  "add it: `tumbling: 10s`");
    }
    if (options_.tumbling.has_value()) SetGrid(*options_.tumbling, *options_.tumbling, "tumbling");
    if (options_.hopping.has_value()) {
      SetGrid(options_.hopping->size, options_.hopping->every, "hopping");
      kind_ = "hopping " + FormatDuration(options_.hopping->size) + " every " +
              FormatDuration(options_.hopping->every);
    }
    if (options_.sliding.has_value()) SetLength(WindowKind::kSliding, *options_.sliding, "sliding");
    if (options_.session.has_value()) SetLength(WindowKind::kSession, *options_.session, "session");
    if (options_.count.has_value()) SetCount(*options_.count);
    if (options_.global.has_value()) SetGlobal(*options_.global);
  }

  void SetLength(WindowKind kind, Duration length, const char* name) {
    plan_.kind = kind;
    plan_.length = length.count();
    length_ = length;
    kind_ = std::string(name) + " " + FormatDuration(length);
  }

  void SetGrid(Duration size, Duration every, const char* name) {
    plan_.kind = WindowKind::kGrid;
    plan_.grid.every = every.count();
    plan_.panes = size / every;
    length_ = size;
    kind_ = std::string(name) + " " + FormatDuration(size);
    if (size % every != Duration(0)) {
      return Fail(PlaceOf("hopping"), "`size` must be a multiple of `every`, " +
                                          FormatDuration(size) + " is none of " +
                                          FormatDuration(every));
    }
    if (plan_.panes > kPanesMax) {
      return Fail(PlaceOf("hopping"), "a window of more than 1000 times `every`");
    }
    if (options_.offset.has_value()) plan_.grid.offset = options_.offset->count();
    if (plan_.grid.offset >= plan_.grid.every) {
      Fail(PlaceOf("offset"), "`offset` must be less than " + FormatDuration(every) + ", found " +
                                  FormatDuration(*options_.offset));
    }
    if (options_.timezone.has_value()) SetZone(every);
  }

  void SetZone(Duration every) {
    plan_.grid.zone = Zone::Parse(*options_.timezone);
    if (!plan_.grid.zone.has_value()) {
      return Fail(
          PlaceOf("timezone"),
          "unknown time zone `" + options_.timezone->substr(0, options_.timezone->find(' ')) + "`",
          "a name of the zone database, such as Europe/Berlin, or UTC or +02:00");
    }
    if (every % minutes15() != Duration(0)) {
      Fail(PlaceOf("timezone"), "windows in a time zone are a multiple of 15m long");
    }
  }
  static Duration minutes15() { return std::chrono::minutes(15); }

  void SetCount(const CountOptions& options) {
    plan_.kind = WindowKind::kCount;
    const std::int64_t every = options.every.value_or(options.size);
    plan_.count = every;
    plan_.panes = options.size / every;
    kind_ = "count " + std::to_string(options.size);
    if (options.every.has_value()) kind_ += " every " + std::to_string(every);
    if (options.size % every != 0) {
      return Fail(PlaceOf("count"), "`size` must be a multiple of `every`");
    }
    if (plan_.panes > kPanesMax) {
      Fail(PlaceOf("count"), "a window of more than 1000 times `every`");
    }
  }

  void SetGlobal(const GlobalOptions& options) {
    plan_.kind = WindowKind::kGlobal;
    plan_.on_change = options.on_change;
    plan_.reset = options.reset;
    kind_ = "global";
    int triggers = 0;
    if (options.every.has_value()) {
      plan_.every = options.every->count();
      kind_ += " every " + FormatDuration(*options.every);
      ++triggers;
    }
    if (options.on_change) {
      kind_ += " on change";
      ++triggers;
    }
    if (options.when.has_value()) {
      kind_ += " when " + *options.when;
      ++triggers;
    }
    if (options.reset) kind_ += ", reset";
    if (triggers == 1) return;
    Fail(PlaceOf("global"),
         triggers == 0 ? "a `global` window needs a trigger" : "a `global` window has one trigger",
         "one of `every: 1m`, `on_change: true` and `when: n % 100 == 0`");
  }

  // What only some kinds have.
  void SetEarly() {
    const bool grid = plan_.kind == WindowKind::kGrid;
    for (const char* option : {"offset", "timezone", "fill"}) {
      if (!grid && context_.node.Find(option) != nullptr) {
        Fail(PlaceOf(option), "`" + std::string(option) + "` is for tumbling and hopping windows");
      }
    }
    plan_.fill = options_.fill;
    if (!options_.emit.has_value()) return;
    if (!grid && plan_.kind != WindowKind::kSession) {
      return Fail(PlaceOf("emit"), "`emit` is for tumbling, hopping and session windows");
    }
    constexpr std::string_view kEvery = "every ";
    const std::string_view text = *options_.emit;
    std::optional<Duration> every;
    if (text.starts_with(kEvery)) every = ParseDuration(text.substr(kEvery.size()));
    if (!every.has_value() || *every < milliseconds(10)) {
      return Fail(
          PlaceOf("emit"),
          "expected `every` and a duration of at least 10ms, found `" + *options_.emit + "`",
          "write it as `emit: every 1s`");
    }
    if (grid && *every >= length_) {
      return Fail(PlaceOf("emit"), "`emit` is not shorter than the window of " +
                                       FormatDuration(length_) + ": it would never come early");
    }
    plan_.every = every->count();
  }

  void SetTimes() {
    plan_.lateness = options_.lateness.count();
    plan_.max_ahead = options_.max_ahead.count();
    plan_.ahead = options_.ahead;
    plan_.keys_max = static_cast<std::uint32_t>(options_.keys_max);
    plan_.keys_full = options_.keys_full;
    const std::int64_t usual =
        plan_.kind == WindowKind::kSliding ? 1'000 : std::max<std::int64_t>(64, 2 * plan_.panes);
    const std::int64_t blocks = options_.windows_max.value_or(usual);
    plan_.windows_max = static_cast<std::uint32_t>(blocks);
    if (plan_.kind == WindowKind::kCount)
      plan_.windows_max = static_cast<std::uint32_t>(plan_.panes);
    if (plan_.kind == WindowKind::kGlobal) plan_.windows_max = 1;
    if (blocks < plan_.panes) {
      Fail(PlaceOf("windows_max"), "`windows_max` must be at least " + std::to_string(plan_.panes) +
                                       ": so many pieces make a window");
    }
    SetSilence();
    if (context_.use == PlanUse::kFiles) SetForFiles();
    const bool by_records = plan_.kind == WindowKind::kCount || plan_.kind == WindowKind::kGlobal;
    for (const char* option : {"lateness", "idle", "max_ahead"}) {
      if (plan_.event_time || context_.node.Find(option) == nullptr) continue;
      if (by_records && std::string_view(option) == "idle") continue;
      Fail(PlaceOf(option), "`" + std::string(option) + "` needs event time",
           "name the field with the time: `timestamp: ts`");
    }
  }

  void SetSilence() {
    Duration silence{};
    switch (plan_.kind) {
      case WindowKind::kCount:
      case WindowKind::kGlobal:
        break;
      case WindowKind::kSession:
      case WindowKind::kSliding:
        plan_.silence_counts_always = !plan_.event_time;
        if (!plan_.event_time) silence = length_;
        [[fallthrough]];
      case WindowKind::kGrid:
        if (plan_.event_time)
          silence = std::max<Duration>(length_ + options_.lateness, seconds(30));
    }
    plan_.silence = options_.idle.value_or(silence).count();
    plan_.idle_grid = std::clamp<std::int64_t>(plan_.silence / 8, 1000, 1'000'000);
    // Without need of an order there is none: it costs what a new key costs, once in a while.
    plan_.order_within = plan_.silence > 0                           ? plan_.idle_grid
                         : plan_.keys_full == KeysFull::kEvictOldest ? 1'000'000
                                                                     : INT64_MAX;
  }

  // Nothing is late, too early or one too many; what closes a window is the end.
  void SetForFiles() {
    plan_.stays_open = plan_.kind == WindowKind::kGrid || plan_.kind == WindowKind::kSession;
    plan_.lateness = kWithoutEnd;
    plan_.max_ahead = kWithoutEnd;
    plan_.every = plan_.kind == WindowKind::kGlobal ? plan_.every : 0;
    plan_.keys_max = UINT32_MAX;
    plan_.order_within = INT64_MAX;
    if (plan_.kind != WindowKind::kCount && plan_.kind != WindowKind::kGlobal) {
      plan_.windows_max = UINT32_MAX;
    }
  }

  void CompileKey() {
    ok_ = plan_.key.Compile(context_, options_.key) && ok_;
    for (const KeyPart& part : plan_.key.parts) {
      AddName(part.name, PlaceOf("key"));
      produced_.Set(part.name, part.expression->type());
    }
  }

  void AddName(const std::string& name, const Position& position) {
    if (name == "start" || name == "end" || name == "partial") {
      return Fail(position, "`" + name + "` is a field that every window has, choose another name");
    }
    if (!names_.insert(name).second) Fail(position, "`" + name + "` is there twice");
    produced_.Set(name, Type::kMissing);
  }

  void CompileAggregates() {
    AggregateCompiler compiler(context_, plan_);
    const Node& node = *context_.node.Find("aggregate");
    for (const Node::Member& member : node.members) {
      AddName(member.key, member.position);
      if (compiler.Add(member.key, member.value)) {
        produced_.Set(member.key, plan_.columns.back().result);
      } else {
        ok_ = false;
      }
    }
  }

  void SetFeeds() {
    for (const auto& argument : plan_.arguments) plan_.fields.push_back(argument->AsField());
    for (const AggregateColumn& column : plan_.columns) {
      const bool any = column.argument >= 0;
      plan_.feeds.push_back(
          {column.aggregate.get(), static_cast<std::uint32_t>(column.offset),
           static_cast<std::uint16_t>(any ? static_cast<std::size_t>(column.argument)
                                          : plan_.arguments.size()),
           static_cast<std::uint16_t>(any ? column.arguments : 0),
           static_cast<std::int16_t>(column.filter)});
    }
  }

  void SetFields() {
    FieldTable& fields = *context_.produced_fields;
    for (KeyPart& part : plan_.key.parts) part.result_field = fields.Intern(part.name);
    for (AggregateColumn& column : plan_.columns) column.result_field = fields.Intern(column.name);
    plan_.start_field = fields.Intern("start");
    plan_.end_field = fields.Intern("end");
    plan_.partial_field = fields.Intern("partial");
    for (const char* name : {"start", "end"}) produced_.Set(name, Type::kInt);
    produced_.Set("partial", Type::kBool);
  }

  void CompileTrigger() {
    if (options_.global.has_value() && options_.global->when.has_value()) {
      StepContext inner = context_;
      inner.fields = context_.produced_fields;
      inner.known = &produced_;
      const Position& at = context_.node.Find("global")->Find("when")->position;
      plan_.when = CompileExpression(inner, *options_.global->when, at);
      ok_ = plan_.when != nullptr && CheckCondition(inner, *plan_.when, "when", at) && ok_;
    }
    context_.produces = std::move(produced_);
  }

  // What is made of parts, for explain.
  std::string Merges() const {
    switch (plan_.kind) {
      case WindowKind::kSession:
        return "\n        merges sessions that a record joins";
      case WindowKind::kSliding:
        return "\n        merges the records of the window, with each of them";
      default:
        if (plan_.panes == 1) return {};
        return "\n        merges " + std::to_string(plan_.panes) + " panes to a window";
    }
  }

  void Describe() {
    std::string aggregates;
    for (const AggregateColumn& column : plan_.columns) {
      aggregates += (aggregates.empty() ? "" : ", ") + column.name + " = " + column.text;
    }
    if (plan_.grid.offset > 0)
      kind_ += ", offset " + FormatDuration(microseconds(plan_.grid.offset));
    std::string zone;
    if (options_.timezone.has_value()) {
      zone = ", " + options_.timezone->substr(0, options_.timezone->find(' '));
    }
    const std::string key = plan_.key.Explain();
    plan_.text = "window  " + kind_ + zone +
                 (plan_.event_time ? ", event time" : ", arrival time") + ", " + key +
                 "\n        " + aggregates + Merges();
    if (plan_.event_time) {
      plan_.text += "\n        lateness " + FormatDuration(microseconds(plan_.lateness)) +
                    (plan_.silence > 0 ? ", idle " + FormatDuration(microseconds(plan_.silence))
                                       : std::string()) +
                    ", max_ahead " + FormatDuration(microseconds(plan_.max_ahead));
    }
    if (plan_.kind != WindowKind::kGlobal && plan_.every > 0) {
      plan_.text += "\n        early results every " + FormatDuration(microseconds(plan_.every));
    }
    if (plan_.fill > 0) {
      plan_.text += "\n        up to " + std::to_string(plan_.fill) + " empty windows in a row";
    }
    plan_.mark = kind_ + (options_.timezone.has_value() ? " " + *options_.timezone : "") +
                 (plan_.event_time ? " event " : " arrival ") + key + " aggregate " + aggregates;
  }

  StepContext& context_;
  const WindowOptions& options_;
  WindowPlan plan_;
  Duration length_{};
  std::string kind_;  // for explain and the mark
  std::set<std::string> names_;
  KnownFields produced_;
  bool ok_ = true;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const std::optional<WindowOptions> options =
      Read<WindowOptions>(context.node, "window", context.diagnostics, &context.at);
  return options.has_value() ? Compiler(context, *options).Run() : nullptr;
}

}  // namespace

namespace {

// The other kinds, for the manual.
constexpr std::string_view kExamplesOfKinds[] = {
    R"(steps:
  - window: { hopping: { size: 20s, every: 10s }, key: device, aggregate: { n: count() } }
tests:
  - send: [ { topic: in/a, at: 1s, json: { v: 1 } }, { topic: in/a, at: 12s, json: { v: 2 } } ]
    expect:
      - { topic: out/a, json: { n: 1 } }
      - { topic: out/a, json: { n: 2 } }
      - { topic: out/a, json: { n: 1 } }
)",
    R"(steps:
  - window: { sliding: 10s, key: device, aggregate: { max: max(v) } }
tests:
  - send: [ { topic: in/a, at: 0s, json: { v: 9 } }, { topic: in/a, at: 10s, json: { v: 3 } } ]
    expect: [ { topic: out/a, json: { max: 9 } }, { topic: out/a, json: { max: 3 } } ]
)",
    R"(steps:
  - window: { session: 30s, key: device, aggregate: { n: count() } }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { v: 1 } }
      - { topic: in/a, at: 29s, json: { v: 2 } }
      - { topic: in/a, at: 60s, json: { v: 3 } }
    expect: [ { topic: out/a, json: { n: 2 } }, { topic: out/a, json: { n: 1 } } ]
)",
    R"(steps:
  - window: { count: 2, key: device, aggregate: { sum: sum(v) } }
tests:
  - send: [ { topic: in/a, json: { v: 1 } }, { topic: in/a, json: { v: 2 } } ]
    expect: [ { topic: out/a, json: { sum: 3 } } ]
)",
    R"(steps:
  - window: { global: { when: n % 2 == 0 }, key: device, aggregate: { n: count() } }
tests:
  - send: [ { topic: in/a, json: { v: 1 } }, { topic: in/a, json: { v: 2 } } ]
    expect: [ { topic: out/a, json: { n: 2 } } ]
)"};

}  // namespace

OperatorSpec operators::window() {
  return {"window",         "Groups records by time and key and aggregates each group.",
          Compile,          Describe<WindowOptions>,
          R"(timestamp: ts
steps:
  - window:
      tumbling: 10s
      key: device
      aggregate: { n: count(), mean: mean(temp) }
tests:
  - send:
      - { topic: in/a, json: { ts: 1700000000000, temp: 20 } }
      - { topic: in/a, json: { ts: 1700000009999, temp: 21 } }
      - { topic: in/a, json: { ts: 1700000010000, temp: 30 } }
    expect:
      - { topic: out/a, json: { device: a, n: 2, mean: 20.5, start: 1700000000000, end: 1700000010000 } }
      - { topic: out/a, json: { device: a, n: 1, mean: 30.0 } }
)", kExamplesOfKinds};
}

}  // namespace runnel
