// KeyedState: what an operator remembers of each key: a small plain struct.
//
// Bounded by keys_max; at the limit the key that was silent longest is forgotten, or the
// record with a new key is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pipelines/base/key_table.h"
#include "pipelines/operators/key.h"
#include "pipelines/operators/operator.h"

namespace runnel {

enum class KeyLimit { kEvictOldest, kReject };

// The options that all of these operators have; a struct of options inherits it and calls
// DescribeKey.
struct KeyedOptions {
  Node key;
  std::int64_t keys_max = 10'000;
  KeyLimit keys_full = KeyLimit::kEvictOldest;
};

void DescribeKey(Schema<KeyedOptions> schema);

struct KeyedPlan {
  KeyPlan key;
  std::uint32_t keys_max = 0;
  KeyLimit keys_full = KeyLimit::kEvictOldest;
  std::size_t state_size = 0;
  std::string mark;  // of the operator: what its state means

  // False after an error.
  bool Compile(const StepContext& context, const KeyedOptions& options);
};

class KeyedState final {
 public:
  // Takes up what is at `root`, or begins anew.
  static Result<std::unique_ptr<KeyedState>> Start(const KeyedPlan& plan, StateRegion& region,
                                                   int root);

  // The state of the record's key, touched; zeros, and `fresh`, for a new one. nullptr
  // with a verdict when there is none.
  void* Find(const Record& record, Arena& arena, bool& fresh, Verdict& verdict);

  void Save(ByteWriter& writer) const;
  Status Load(ByteReader& reader);

 private:
  KeyedState(const KeyedPlan& plan, StateRegion& region, StateRegion::Ref block)
      : plan_(&plan), region_(&region), keys_(region, block, 0, plan.state_size) {}
  StateRegion::Ref Add(std::uint64_t hash, Verdict& verdict);

  const KeyedPlan* plan_;
  StateRegion* region_;
  KeyTable keys_;
  KeyBuffer key_;  // scratch
};

// An operator with a state per key. `Derived` has
//   Verdict Decide(State&, bool fresh, Record&, Arena&) const;
// and is made by its Compile with `plan` filled.
template <typename Derived, typename State>
class KeyedOperator : public Operator {
  static_assert(std::is_trivially_copyable_v<State> && sizeof(State) % 8 == 0);

 public:
  KeyedOperator(KeyedPlan plan, std::string text) : plan_(std::move(plan)), text_(std::move(text)) {
    plan_.state_size = sizeof(State);
    plan_.mark = text_;
  }

  Result<std::unique_ptr<OperatorRun>> Start(StateRegion& region, int root) const final {
    Result<std::unique_ptr<KeyedState>> state = KeyedState::Start(plan_, region, root);
    if (!state.ok()) return state.error();
    return std::unique_ptr<OperatorRun>(
        std::make_unique<Run>(static_cast<const Derived&>(*this), std::move(state).value()));
  }
  std::string Explain() const final { return text_ + ", " + plan_.key.Explain(); }
  std::string StateMark() const final { return text_ + " " + plan_.key.Explain(); }
  std::uint64_t StateBytesMax() const final { return plan_.keys_max * StateBytesPerKey(); }
  std::uint64_t StateBytesPerKey() const final { return KeyTable::BytesFor(64, sizeof(State)); }
  std::optional<std::vector<std::string>> Key() const final { return plan_.key.Texts(); }
  Result<std::uint64_t> KeyHash(const Record& record, Arena& arena) const final {
    return plan_.key.Hash(record, arena);
  }

 private:
  class Run final : public OperatorRun {
   public:
    Run(const Derived& op, std::unique_ptr<KeyedState> state)
        : op_(&op), state_(std::move(state)) {}
    Verdict Apply(Record& record, Arena& arena) override {
      bool fresh = false;
      Verdict verdict;
      auto* state = static_cast<State*>(state_->Find(record, arena, fresh, verdict));
      return state == nullptr ? verdict : op_->Decide(*state, fresh, record, arena);
    }
    void Save(ByteWriter& writer) const override { state_->Save(writer); }
    Status Load(ByteReader& reader) override { return state_->Load(reader); }

   private:
    const Derived* op_;
    std::unique_ptr<KeyedState> state_;
  };

  KeyedPlan plan_;
  std::string text_;
};

}  // namespace runnel
