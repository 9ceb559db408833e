// The plan that a task runs: kept with its state, changed by a record of the journal.
#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/workers/task.h"
#include "pipelines/base/bytes.h"

namespace runnel {
namespace {

constexpr int kPlanRoot = StateRegion::kRoots - 1;  // the host's; pipelines use the others

struct StoredPlan {
  std::uint64_t fingerprint;
  std::uint64_t size;  // bytes of the encoded Node, which follow
};

// Whether records of keys that one task of the stage has go to another under the next plan: the
// hash of what it is spread by modulo the number of tasks says to which. Task 0 to n-1 keep theirs
// where n divides the number that there was.
bool KeysMove(const Plan& plan, const Plan& next, std::size_t stage) {
  return plan.partitions(stage) % next.partitions(stage) != 0 ||
         (next.partitions(stage) > 1 && plan.SpreadBy(stage) != next.SpreadBy(stage));
}

Error NoSuchStage() {
  return Error{ErrorKind::kGiveUp, "the plan in the journal does not have the stage of this task"};
}

}  // namespace

// Puts the encoded plan into the region, in the host's root.
bool Task::StorePlan(StateRegion& region, std::uint64_t fingerprint, std::string_view encoded) {
  const StateRegion::Ref ref = region.Allocate(sizeof(StoredPlan) + encoded.size());
  if (ref == StateRegion::kNone) return false;
  auto* stored = region.Get<StoredPlan>(ref);
  stored->fingerprint = fingerprint;
  stored->size = encoded.size();
  std::memcpy(stored + 1, encoded.data(), encoded.size());
  region.SetRoot(kPlanRoot, ref);
  return true;
}

Status Task::StartStoredPlan() {
  const StateRegion::Ref ref = region_->root(kPlanRoot);
  if (ref == StateRegion::kNone) return {};
  if (!region_->Contains(ref, sizeof(StoredPlan))) {
    return Error{ErrorKind::kGiveUp, "the stored plan is out of the region"};
  }
  const auto* stored = region_->Get<StoredPlan>(ref);
  if (!region_->Contains(ref, sizeof(StoredPlan) + stored->size)) {
    return Error{ErrorKind::kGiveUp, "the stored plan is cut off"};
  }
  Result<std::shared_ptr<LoadedPlan>> plan =
      plans_->Get(id_.pipeline, {reinterpret_cast<const char*>(stored + 1), stored->size});
  if (!plan.ok()) return plan.error();
  if (id_.stage >= plan.value()->plan().stages()) return NoSuchStage();
  plan_ = std::move(plan).value();
  plan_fingerprint_ = stored->fingerprint;
  Result<std::unique_ptr<Pipeline>> pipeline = Pipeline::Create(
      plan_->plan(), id_.stage, *region_, current_.ledger, plan_->ToolsOf(id_.stage));
  if (!pipeline.ok()) return pipeline.error();
  pipeline_ = std::move(pipeline).value();
  return {};
}

bool Task::PlanTurn() {
  RecordView record;
  reader_->Peek(record);
  Status planned = PlanRecord(record);
  return planned.ok() || Fail(std::move(planned.error()));
}

// A plan in the journal: the first, the one that runs already, or a changed one.
Status Task::PlanRecord(const RecordView& record) {
  const std::uint64_t fingerprint = record.header.tag;
  if (pipeline_ != nullptr && fingerprint != plan_fingerprint_) {
    if (Status switched = SwitchPlan(record); !switched.ok()) return switched;
    if (ending_) return {};  // the old plan closes its windows first; the record comes again
  } else if (pipeline_ == nullptr) {
    if (!StorePlan(*region_, fingerprint, record.payload)) {
      return Error{ErrorKind::kFix, "limits.state is too small for the plan"};
    }
    if (Status started = StartStoredPlan(); !started.ok()) return started;
  }
  reader_->Pass(record);
  work_->consumed.store(reader_->position(), std::memory_order_release);
  ++turn_;
  MakeCheckpoint();
  return {};
}

Status Task::SwitchPlan(const RecordView& record) {
  const std::string_view encoded = record.payload;
  Result<std::shared_ptr<LoadedPlan>> plan = plans_->Get(id_.pipeline, encoded);
  if (!plan.ok()) return plan.error();
  if (id_.stage >= plan.value()->plan().stages()) return NoSuchStage();
  StateRegion fresh = StateRegion::InMemory(2 * region_->used() + (1 << 20) + encoded.size());
  if (!StorePlan(fresh, record.header.tag, encoded)) {
    return Error{ErrorKind::kFix, "limits.state is too small for the plan"};
  }
  Result<std::unique_ptr<Pipeline>> next = Pipeline::Create(plan.value()->plan(), id_.stage, fresh,
                                                            {}, plan.value()->ToolsOf(id_.stage));
  if (!next.ok()) return next.error();
  ByteWriter saved;
  pipeline_->Save(saved);
  ByteReader reader(saved.bytes());
  const bool keys_move = KeysMove(plan_->plan(), plan.value()->plan(), id_.stage);
  if (!ending_ && (keys_move || !next.value()->Load(reader).ok())) {
    // Not the same windows, or not all of their records come here: what is open is emitted as
    // it is.
    EndWindows(TimeFromMicroseconds(record.header.time));
    ending_ = true;
    return {};
  }
  ending_ = false;
  const Ledger ledger = pipeline_->ledger();
  next.value().reset();
  return InstallImage(fresh, ledger);
}

// Replaces the region by `image` in two steps, either of which a kill may cut short:
// first the image lies behind the old contents and a checkpoint says so, then it is
// copied to its place.
Status Task::InstallImage(const StateRegion& image, const Ledger& ledger) {
  const std::size_t bytes = (image.used() + 63) / 64 * 64;
  const std::size_t at = (std::max(region_->used(), bytes) + 63) / 64 * 64;
  if (at + bytes > state_.size() || !state_.Populate(at + bytes)) {
    return Error{ErrorKind::kFix, "limits.state has no room to change the plan"};
  }
  std::memcpy(state_.data() + at, image.data(), image.used());
  CheckpointSlot slot = current_;
  ++slot.number;
  slot.in_position = reader_->position();
  slot.out_sequence = out_sequence_;
  slot.turn = turn_;
  slot.ledger = ledger;
  slot.image_at = at;
  slot.image_bytes = bytes;
  WriteCheckpoint(slot);
  region_->Forget(slot.number);
  pipeline_.reset();
  region_.reset();
  if (Status attached = AttachRegion(); !attached.ok()) return attached;
  return StartStoredPlan();
}

Status Task::FinishImage(CheckpointSlot& slot) {
  if (slot.image_bytes == 0) return {};
  if (slot.image_at > state_.size() || slot.image_bytes > slot.image_at ||
      slot.image_bytes > state_.size() - slot.image_at) {
    return Error{ErrorKind::kGiveUp, "the image of the new state is out of the region"};
  }
  std::memcpy(state_.data(), state_.data() + slot.image_at, slot.image_bytes);
  CheckpointSlot done = slot;
  ++done.number;
  done.image_at = 0;
  done.image_bytes = 0;
  WriteCheckpoint(done);
  auto& undo = *reinterpret_cast<UndoLog*>(undo_.data());
  undo.count.store(0, std::memory_order_release);
  undo.checkpoint.store(done.number, std::memory_order_release);
  return {};
}

}  // namespace runnel
