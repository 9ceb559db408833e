// The parts of WindowRun that make, merge, read, save and load blocks.
#include <algorithm>
#include <climits>
#include <cstring>

#include "pipelines/base/hash.h"
#include "pipelines/windows/window_run.h"

namespace runnel {

using Ref = StateRegion::Ref;

namespace {

// Blocks of a key between two that are remembered.
constexpr int kStride = 16;

}  // namespace

WindowRun::Block* WindowRun::ChangeBlock(Ref ref) {
  Block* block = BlockAt(ref);
  region_->Touch(block, plan_->head_size);
  return block;
}

Ref WindowRun::NewBlock(std::int64_t start) {
  const Ref ref = region_->Allocate(plan_->block_size);
  if (ref == StateRegion::kNone) return ref;
  BlockAt(ref)->start = start;
  if (HasLast()) BlockAt(ref)->last = start;
  for (const ColumnFeed& feed : plan_->feeds) feed.aggregate->Init(States(ref) + feed.offset);
  return ref;
}

void WindowRun::Remember(const WindowKey& key, Ref block) {
  if (hints_.empty()) return;
  const Ref ref = RefOf(key);
  hints_[ref % hints_.size()] = {ref, block};
}

void WindowRun::ForgetMilestone(const WindowKey& key, Ref block) {
  const auto found = milestones_.find(RefOf(key));
  if (found == milestones_.end()) return;
  std::vector<Ref>& milestones = found->second;
  const auto at = std::lower_bound(
      milestones.begin(), milestones.end(), BlockAt(block)->start,
      [&](Ref milestone, std::int64_t start) { return BlockAt(milestone)->start < start; });
  if (at == milestones.end() || *at != block) return;
  milestones.erase(at);
  if (milestones.empty()) milestones_.erase(found);
}

// Goes on to the last block that starts at `start` or before, by at most so many; whether it is
// there.
bool WindowRun::Walk(Ref& at, std::int64_t start, int blocks) const {
  for (;; --blocks) {
    const Ref next = BlockAt(at)->next;
    if (next == StateRegion::kNone || BlockAt(next)->start > start) return true;
    if (blocks == 0) return false;
    at = next;
  }
}

Ref WindowRun::LastUntil(const WindowKey& key, std::int64_t start) const {
  Ref at = key.blocks;
  if (at == StateRegion::kNone || BlockAt(at)->start > start) return StateRegion::kNone;
  if (hints_.empty()) {
    Walk(at, start, INT_MAX);
    return at;
  }
  const Ref ref = RefOf(key);
  Hint& hint = hints_[ref % hints_.size()];
  if (hint.key == ref && hint.block != StateRegion::kNone && BlockAt(hint.block)->start <= start) {
    at = hint.block;
  }
  if (!Walk(at, start, kStride)) {
    std::vector<Ref>& milestones = milestones_[ref];
    auto behind = std::upper_bound(
        milestones.begin(), milestones.end(), start,
        [&](std::int64_t time, Ref milestone) { return time < BlockAt(milestone)->start; });
    if (behind != milestones.begin() && BlockAt(behind[-1])->start > BlockAt(at)->start) {
      at = behind[-1];
    }
    while (!Walk(at, start, kStride)) behind = milestones.insert(behind, at) + 1;
    if (milestones.empty()) milestones_.erase(ref);
  }
  hint = {ref, at};
  return at;
}

Ref WindowRun::InsertBlock(Ref key_ref, Ref previous, std::int64_t start) {
  const Ref ref = NewBlock(start);
  if (ref == StateRegion::kNone) return ref;
  WindowKey* key = ChangeKey(key_ref);
  ++key->blocks_open;
  Ref* link = previous == StateRegion::kNone ? &key->blocks : &ChangeBlock(previous)->next;
  BlockAt(ref)->next = *link;
  *link = ref;
  Remember(*key, ref);
  return ref;
}

void WindowRun::FreeBlock(Ref ref) {
  region_->Touch(BlockAt(ref), plan_->block_size);
  for (const ColumnFeed& feed : plan_->feeds)
    feed.aggregate->Free(States(ref) + feed.offset, *region_);
  region_->Free(ref, plan_->block_size);
}

void WindowRun::RemoveBlock(Ref key_ref, Ref previous, Ref ref) {
  WindowKey* key = ChangeKey(key_ref);
  ForgetMilestone(*key, ref);
  Remember(*key, previous == StateRegion::kNone ? BlockAt(ref)->next : previous);
  --key->blocks_open;
  Ref* link = previous == StateRegion::kNone ? &key->blocks : &ChangeBlock(previous)->next;
  *link = BlockAt(ref)->next;
  FreeBlock(ref);
}

void WindowRun::MergeBlock(Ref to, Ref from) {
  Block* block = BlockAt(to);
  const Block* more = BlockAt(from);
  region_->Touch(block, plan_->block_size);
  const std::uint64_t refusals = region_->refusals();
  for (const ColumnFeed& feed : plan_->feeds) {
    feed.aggregate->Merge(States(to) + feed.offset, *region_, States(from) + feed.offset, *region_);
  }
  if (HasLast() && more->records > 0) {
    block->start = block->records == 0 ? more->start : std::min(block->start, more->start);
    block->last = block->records == 0 ? more->last : std::max(block->last, more->last);
  }
  block->records =
      std::min<std::uint32_t>(block->records + more->records, kRecordsMax) & kRecordsMax;
  block->changed |= more->changed;
  if (more->cut != 0 || region_->refusals() != refusals) block->cut = 1;
}

void WindowRun::Fill(Ref key_ref, Ref block, const Interval& window, bool partial, Record& out,
                     Arena& arena) {
  // The state may be gone before the result is encoded.
  const auto keep = [&](const Value& value) {
    const Value copy = CopyTo(arena, value);
    if (copy.IsError()) failure_ = copy.Reason();
    return copy.IsError() ? Value::Null() : copy;
  };
  std::string_view rest = keys_.KeyOf(key_ref);
  for (const KeyPart& part : plan_->key.parts) {
    out.Set(part.result_field, keep(KeyPlan::TakePart(rest)));
  }
  // What it would say is wrong.
  if (block != StateRegion::kNone && BlockAt(block)->cut != 0) failure_ = "state_full";
  if (!only_named_) {
    for (const AggregateColumn& column : plan_->columns) {
      out.Set(column.result_field, keep(column.aggregate->Result(States(block) + column.offset,
                                                                 *region_, window, arena)));
    }
  }
  const auto milliseconds = [](Time time) { return Value::Int(Milliseconds(time)); };
  out.Set(plan_->start_field, milliseconds(window.start));
  out.Set(plan_->end_field, milliseconds(window.end + std::chrono::microseconds(999)));
  if (partial) out.Set(plan_->partial_field, Value::Bool(true));
  // The last instant of the window: it belongs to windows behind this one that cover it.
  out.time = window.end - std::chrono::microseconds(1);
  out.arrival = plan_->event_time ? TimeFromMicroseconds(now()) : out.time;
}

// Both lists in their order, so that Load makes the same table.
void WindowRun::Save(ByteWriter& writer) const {
  const Root& state = root();
  writer.String(plan_->mark);
  for (const std::int64_t time :
       {state.now, state.evicted_watermark, state.swept, state.next_sweep}) {
    writer.Signed(time);
  }
  writer.U8(static_cast<std::uint8_t>(state.flags));
  for (const KeyTable::List list : {KeyTable::List::kClosed, KeyTable::List::kOpen}) {
    std::uint64_t count = 0;
    for (Ref ref = keys_.First(list); ref != StateRegion::kNone; ref = keys_.Get(ref)->next)
      ++count;
    writer.Varint(count);
    for (Ref ref = keys_.First(list); ref != StateRegion::kNone; ref = keys_.Get(ref)->next) {
      SaveKey(ref, writer);
    }
  }
  for (const Ref special : {state.due_key, state.evicted_key, state.sweep_key}) {
    writer.String(special == StateRegion::kNone ? std::string_view() : keys_.KeyOf(special));
    writer.U8(special == StateRegion::kNone ? 0 : 1);
  }
}

void WindowRun::SaveKey(Ref key_ref, ByteWriter& writer) const {
  const WindowKey& key = *Key(key_ref);
  writer.String(keys_.KeyOf(key_ref));
  writer.Signed(key.time_max);
  writer.Signed(key.closed_until);
  writer.Signed(key.last_arrival);
  writer.Signed(keys_.Get(key_ref)->listed);
  writer.Varint(key.blocks_open);
  for (Ref ref = key.blocks; ref != StateRegion::kNone; ref = BlockAt(ref)->next) {
    const Block& block = *BlockAt(ref);
    writer.Signed(block.start);
    writer.Varint(std::uint64_t{block.cut} << 32 | std::uint64_t{block.records} << 1 |
                  block.changed);
    if (HasLast()) writer.Signed(block.last);
    if (plan_->kind == WindowKind::kGlobal) writer.U64(block.digest);
    for (const AggregateColumn& column : plan_->columns) {
      column.aggregate->Save(States(ref) + column.offset, *region_, writer);
    }
  }
}

Status WindowRun::Load(ByteReader& reader) {
  if (reader.String() != plan_->mark) {
    return Error{ErrorKind::kFix, "the key, the window or the aggregates are not the same"};
  }
  Root* state = ChangeRoot();
  for (std::int64_t* time :
       {&state->now, &state->evicted_watermark, &state->swept, &state->next_sweep}) {
    *time = reader.Signed();
  }
  state->flags = reader.U8();
  for (int list = 0; list < 2; ++list) {
    const std::uint64_t count = reader.Varint();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
      if (!LoadKey(reader)) return Error{ErrorKind::kGiveUp, "a saved window does not fit"};
    }
  }
  Ref special[3] = {};
  for (Ref& ref : special) {
    const std::string_view key = reader.String();
    if (reader.U8() != 0) ref = keys_.Find(key, Hash(key));
  }
  state->due_key = special[0];
  state->evicted_key = special[1];
  state->sweep_key = special[2];
  return reader.ok() ? Status() : Error{ErrorKind::kGiveUp, "a saved window is cut off"};
}

bool WindowRun::LoadKey(ByteReader& reader) {
  const std::string_view bytes = reader.String();
  const std::uint64_t hash = Hash(bytes);
  if (!reader.ok() || keys_.Find(bytes, hash) != StateRegion::kNone) return false;
  const Ref key_ref = keys_.Insert(bytes, hash);
  if (key_ref == StateRegion::kNone) return false;
  WindowKey* key = ChangeKey(key_ref);
  key->time_max = reader.Signed();
  key->closed_until = reader.Signed();
  key->last_arrival = reader.Signed();
  const std::int64_t listed = reader.Signed();
  Ref previous = StateRegion::kNone;
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    const Ref ref = InsertBlock(key_ref, previous, reader.Signed());
    if (ref == StateRegion::kNone) return false;
    Block* block = BlockAt(ref);
    const std::uint64_t records = reader.Varint();
    block->records = static_cast<std::uint32_t>(records >> 1) & kRecordsMax;
    block->changed = records & 1;
    block->cut = records >> 32 & 1;
    const std::uint64_t refusals = region_->refusals();
    if (HasLast()) block->last = reader.Signed();
    if (plan_->kind == WindowKind::kGlobal) block->digest = reader.U64();
    for (const AggregateColumn& column : plan_->columns) {
      column.aggregate->Load(States(ref) + column.offset, *region_, reader);
    }
    if (region_->refusals() != refusals) BlockAt(ref)->cut = 1;
    previous = ref;
  }
  const bool open = previous != StateRegion::kNone;
  keys_.MoveTo(key_ref, open ? KeyTable::List::kOpen : KeyTable::List::kClosed, listed);
  return true;
}

}  // namespace runnel
