#include "daemon/mqtt/copies.h"

#include <algorithm>

#include "pipelines/base/hash.h"

namespace runnel {

bool Copies::IsCopy(std::string_view topic, std::string_view payload, bool retained,
                    std::span<const std::uint32_t> identifiers) {
  if (retained || identifiers.empty()) {
    come_.clear();
    return false;
  }
  const std::uint64_t digest = Hash(payload, Hash(topic));
  const bool copy =
      !come_.empty() && digest == digest_ &&
      std::all_of(identifiers.begin(), identifiers.end(),
                  [this](std::uint32_t identifier) { return IsAnotherOfThem(identifier); });
  if (!copy) come_.clear();
  digest_ = digest;
  come_.insert(come_.end(), identifiers.begin(), identifiers.end());
  return copy;
}

// Of the same change, not one that it has come with, and with that of what is wanted among them.
bool Copies::IsAnotherOfThem(std::uint32_t identifier) const {
  const ChangeMark mark = ChangeMark::Of(identifier);
  const auto has_come = [this](const ChangeMark& one) {
    return std::find(come_.begin(), come_.end(), one.identifier()) != come_.end();
  };
  return ChangeMark::Of(come_[0]).generation == mark.generation && !has_come(mark) &&
         (mark.place == 0 || has_come({mark.generation, 0}));
}

}  // namespace runnel
