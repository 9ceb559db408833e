// Operator: one step of a pipeline.
//
// Three parts: its spec (name, documentation, how to compile it), the compiled
// operator inside an immutable plan, and its run: what one task has of it. A new
// operator is one file with a `Spec` function and a line in operators.def.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/bytes.h"
#include "pipelines/base/result.h"
#include "pipelines/base/silence_clock.h"
#include "pipelines/base/state.h"
#include "pipelines/base/zone.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"
#include "pipelines/value/record.h"

namespace runnel {

class Registry;
struct WindowPlan;

// What became of a record in one step.
struct Verdict {
  enum class Kind : std::uint8_t { kPass, kFiltered, kAbsorbed, kLate, kDropped, kFailed };
  Kind kind = Kind::kPass;
  const char* reason = nullptr;  // kFailed, kDropped, kLate: a literal

  static constexpr Verdict Pass() { return {Kind::kPass, nullptr}; }
  static constexpr Verdict Filtered() { return {Kind::kFiltered, nullptr}; }
  static constexpr Verdict Absorbed() { return {Kind::kAbsorbed, nullptr}; }
  static constexpr Verdict Late() { return {Kind::kLate, "late"}; }
  static constexpr Verdict Dropped(const char* reason) { return {Kind::kDropped, reason}; }
  static constexpr Verdict Failed(const char* reason) { return {Kind::kFailed, reason}; }
};

// What a task has of one operator. State that must survive is in the StateRegion.
class OperatorRun {
 public:
  virtual ~OperatorRun() = default;
  virtual Verdict Apply(Record& record, Arena& arena) = 0;

  // Below: for operators that produce records of their own (windows).

  // Tells how silence counts; called once, before all below. The clock outlives the run.
  virtual void UseClock(const SilenceClock&) {}
  // Time is `now`, for every key, or the clock of silence has changed. Never goes back.
  virtual void AdvanceTo(Time) {}
  // Everything that is open, and all that comes in until GoOn(), is to be produced as it is.
  virtual void End() {}
  virtual void GoOn() {}
  virtual bool HasPending() const { return false; }
  // What came of one piece of work.
  struct Product {
    bool made = false;              // a record
    const char* failure = nullptr;  // a literal: the record is to be dead-lettered
  };
  // Does one piece of work, which may produce a record into `out` (of the table behind
  // this operator). REQUIRES: HasPending().
  virtual Product Produce(Record& /*out*/, Arena&) { return {}; }
  // The same piece of work, but the record has only what tells which it was (its key):
  // it killed the process twice.
  virtual Product Discard(Record& /*out*/, Arena&) { return {}; }
  virtual std::optional<Time> NextDeadline() const { return std::nullopt; }

  virtual void Save(ByteWriter&) const {}
  virtual Status Load(ByteReader&) { return {}; }
};

// A compiled operator: immutable, shared by tasks.
class Operator {
 public:
  virtual ~Operator() = default;
  // `region` outlives the run; `root` is the operator's place in it.
  virtual Result<std::unique_ptr<OperatorRun>> Start(StateRegion& region, int root) const = 0;
  // A line for `runnel explain`.
  virtual std::string Explain() const = 0;
  // Bytes of state that a task can come to.
  virtual std::uint64_t StateBytesMax() const { return 0; }
  // Bytes of a key of usual length; 0: it has none.
  virtual std::uint64_t StateBytesPerKey() const { return 0; }
  // Whether its run produces records, and whether they are of a kind of their own, with
  // the fields in StepContext::produced_fields.
  virtual bool ProducesRecords() const { return MakesRecords(); }
  virtual bool MakesRecords() const { return false; }
  // Of operators that need all records of a key in one task: the key's expressions as
  // they are written; nullopt for all others. Empty: there is one key.
  virtual std::optional<std::vector<std::string>> Key() const { return std::nullopt; }
  // The hash of the record's key, for the exchange in front of this operator.
  virtual Result<std::uint64_t> KeyHash(const Record&, Arena&) const { return std::uint64_t{0}; }
  // What it does to records, whatever is in a table of it.
  virtual std::string EffectMark() const { return Explain(); }
  // Operators whose state can be taken over have equal marks.
  virtual std::string StateMark() const { return {}; }
  // Of a window what it is, for batch, which groups by other means; nullptr of all others.
  virtual const WindowPlan* Window() const { return nullptr; }
  // Of an operator that makes fields of the members of a list's items, which only the data
  // names: the field with the list.
  virtual std::optional<std::uint16_t> ListTakenApart() const { return std::nullopt; }
};

// The fields of a record, where a plan knows them all.
struct KnownFields {
  std::vector<std::string> names;
  std::vector<Type> types;  // of each; kMissing: only the record knows

  bool Has(std::string_view name) const;
  // Adds a field, or changes the type of one that is there.
  void Set(std::string_view name, Type type);
  void Remove(std::string_view name);
};

// What a plan is compiled for. Over files (batch) everything is there already: windows close
// at the end of the input, rows out of order are not late, and no key is forgotten.
enum class PlanUse : std::uint8_t { kDevice, kFiles };

// What compiling a step needs and gives.
struct StepContext {
  const Node& node;    // the value behind the operator's name
  const Position& at;  // of the operator's name
  std::string stage;   // `steps[2].filter`, for messages and dead letters
  const Registry& registry;
  Diagnostics& diagnostics;
  // The fields of the records that come in; expressions add to it.
  FieldTable* fields = nullptr;
  // With a schema, and behind a window: the only names there are.
  const KnownFields* known = nullptr;
  const ZoneTable* zones = nullptr;  // that expressions may name
  bool event_time = false;           // the pipeline names a timestamp
  PlanUse use = PlanUse::kDevice;
  const std::vector<std::string>* captures = nullptr;
  // The names of the sinks that a step may choose from, `sink` left out.
  const std::vector<std::string>* sinks = nullptr;
  std::vector<bool>* sinks_used = nullptr;  // of each, whether a step names it
  // Set by operators that change which fields there are, where that is known.
  std::optional<KnownFields> produces;
  FieldTable* produced_fields = nullptr;
  // Set by operators that name fields of the output (select): nothing else passes.
  bool drops_unmentioned = false;
  // Set by operators behind which nobody knows which fields there are.
  bool forgets_fields = false;
  // Set by operators that give fields other values: their names.
  std::vector<std::string> sets;
  // And by those that take fields away.
  std::vector<std::string> takes_away;
};

// Its texts are literals.
struct OperatorSpec {
  std::string_view name;
  std::string_view description;
  // nullptr after an error.
  std::unique_ptr<const Operator> (*compile)(StepContext& context);
  std::vector<OptionDoc> (*options)();
  // For the manual and its test: `steps:` and `tests:` of a pipeline from `in/{device}` to
  // `out/{device}`.
  std::string_view example;
  std::span<const std::string_view> more_examples = {};  // of the kinds that it has
};

// Compiles an expression of a step; nullptr after an error.
class Expression;
std::unique_ptr<Expression> CompileExpression(const StepContext& context, std::string_view text,
                                              const Position& position);

// The same, of an option of the step; `text` is its value.
std::unique_ptr<Expression> CompileOption(const StepContext& context, const char* option,
                                          std::string_view text);
// CompileOption of a condition, or of a number: what is surely none is an error.
std::unique_ptr<Expression> CompileCondition(const StepContext& context, const char* option,
                                             std::string_view text);
std::unique_ptr<Expression> CompileNumber(const StepContext& context, const char* option,
                                          std::string_view text);
// Whether an expression may be a bool; else an error at `position`.
bool CheckCondition(const StepContext& context, const Expression& expression, const char* option,
                    const Position& position);
// Notes that a step adds fields or gives them other values.
void NoteField(StepContext& context, const std::string& name, Type type);

namespace operators {
#define OPERATOR(name) OperatorSpec name();
#include "pipelines/operators/operators.def"
#undef OPERATOR
}  // namespace operators

}  // namespace runnel
