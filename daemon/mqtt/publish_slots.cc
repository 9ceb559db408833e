#include "daemon/mqtt/publish_slots.h"

namespace runnel {

PublishSlots::Slot* PublishSlots::Take(std::uint64_t context, int qos) {
  const std::lock_guard lock(mutex_);
  if (unfinished_ == limit_) return nullptr;
  if (free_.empty()) {
    slots_.emplace_back();
    free_.push_back(&slots_.back());
  }
  Slot* slot = free_.back();
  free_.pop_back();
  *slot = {context, qos, /*used=*/true, /*finished=*/false};
  ++unfinished_;
  return slot;
}

std::optional<std::uint64_t> PublishSlots::Release(Slot* slot) {
  const std::lock_guard lock(mutex_);
  slot->used = false;
  free_.push_back(slot);
  if (slot->finished) return std::nullopt;
  --unfinished_;
  return slot->context;
}

std::vector<std::uint64_t> PublishSlots::FinishUpTo(int qos) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> contexts;
  for (Slot& slot : slots_) {
    if (!slot.used || slot.finished || slot.qos > qos) continue;
    slot.finished = true;
    --unfinished_;
    contexts.push_back(slot.context);
  }
  return contexts;
}

std::size_t PublishSlots::unfinished() const {
  const std::lock_guard lock(mutex_);
  return unfinished_;
}

}  // namespace runnel
