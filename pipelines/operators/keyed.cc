#include "pipelines/operators/keyed.h"

#include <cstring>

#include "pipelines/base/hash.h"

namespace runnel {

using Ref = StateRegion::Ref;

void DescribeKey(Schema<KeyedOptions> schema) {
  schema
      .Optional("key", &KeyedOptions::key,
                "A field or expression, or a list of them; each key has a state of its own.")
      .Example("device");
  schema.Optional("keys_max", &KeyedOptions::keys_max, "Keys that a task remembers.")
      .Between(1, 10'000'000);
  schema
      .Optional("keys_full", &KeyedOptions::keys_full,
                "At the limit: forget the key that was silent longest, or drop the record.")
      .OneOf({{"evict_oldest", KeyLimit::kEvictOldest}, {"reject", KeyLimit::kReject}});
}

bool KeyedPlan::Compile(const StepContext& context, const KeyedOptions& options) {
  keys_max = static_cast<std::uint32_t>(options.keys_max);
  if (context.use == PlanUse::kFiles) keys_max = UINT32_MAX;
  keys_full = options.keys_full;
  return key.Compile(context, options.key);
}

Result<std::unique_ptr<KeyedState>> KeyedState::Start(const KeyedPlan& plan, StateRegion& region,
                                                      int root) {
  Ref block = region.root(root);
  if (block == StateRegion::kNone) {
    block = region.Allocate(sizeof(KeyTableState));
    if (block == StateRegion::kNone) {
      return Error{ErrorKind::kFix, "limits.state has no room for a step with keys"};
    }
    region.SetRoot(root, block);
  } else if (!region.Contains(block, sizeof(KeyTableState))) {
    return Error{ErrorKind::kGiveUp, "the state of a step is out of the region"};
  }
  return std::unique_ptr<KeyedState>(new KeyedState(plan, region, block));
}

void* KeyedState::Find(const Record& record, Arena& arena, bool& fresh, Verdict& verdict) {
  key_.Clear();
  if (const char* reason = plan_->key.Encode(record, arena, key_)) {
    verdict = Verdict::Failed(reason);
    return nullptr;
  }
  const std::uint64_t hash = Hash(key_.bytes());
  Ref ref = keys_.Find(key_.bytes(), hash);
  fresh = ref == StateRegion::kNone;
  if (fresh) ref = Add(hash, verdict);
  if (ref == StateRegion::kNone) return nullptr;
  const std::int64_t arrival = Microseconds(record.arrival);
  // In the order of arrival, a second fine: who was silent longest needs no more.
  if (fresh || Elapsed(keys_.Get(ref)->listed, arrival) >= 1'000'000) {
    keys_.MoveTo(ref, KeyTable::List::kClosed, arrival);
  }
  void* state = keys_.User<std::byte>(ref);
  region_->Touch(state, plan_->state_size);
  return state;
}

Ref KeyedState::Add(std::uint64_t hash, Verdict& verdict) {
  if (keys_.state().keys >= plan_->keys_max) {
    if (plan_->keys_full == KeyLimit::kReject) {
      verdict = Verdict::Dropped("keys_full");
      return StateRegion::kNone;
    }
    keys_.Remove(keys_.First(KeyTable::List::kClosed));
  }
  const Ref ref = keys_.Insert(key_.bytes(), hash);
  if (ref == StateRegion::kNone) verdict = Verdict::Dropped("state_full");
  return ref;
}

void KeyedState::Save(ByteWriter& writer) const {
  writer.String(plan_->mark);
  writer.Varint(keys_.state().keys);
  for (Ref ref = keys_.First(KeyTable::List::kClosed); ref != StateRegion::kNone;
       ref = keys_.Get(ref)->next) {
    writer.String(keys_.KeyOf(ref));
    writer.Signed(keys_.Get(ref)->listed);
    writer.Raw({keys_.User<char>(ref), plan_->state_size});
  }
}

Status KeyedState::Load(ByteReader& reader) {
  if (reader.String() != plan_->mark) return Error{ErrorKind::kFix, "a step has changed"};
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    const std::string_view key = reader.String();
    const std::int64_t listed = reader.Signed();
    const std::string_view state = reader.Raw(plan_->state_size);
    if (!reader.ok()) break;
    const std::uint64_t hash = Hash(key);
    if (keys_.Find(key, hash) != StateRegion::kNone) break;
    const Ref ref = keys_.Insert(key, hash);
    if (ref == StateRegion::kNone) return Error{ErrorKind::kGiveUp, "a saved step does not fit"};
    std::memcpy(keys_.User<char>(ref), state.data(), state.size());
    keys_.MoveTo(ref, KeyTable::List::kClosed, listed);
  }
  return reader.ok() ? Status() : Error{ErrorKind::kGiveUp, "a saved step is cut off"};
}

}  // namespace runnel
