#include "daemon/mqtt/copies.h"

#include <algorithm>

#include "pipelines/base/hash.h"

namespace runnel {

bool Copies::IsCopy(std::string_view topic, std::string_view payload, bool retained,
                    std::span<const std::uint32_t> identifiers) {
  if (forget_.exchange(false, std::memory_order_relaxed) || retained || identifiers.empty()) {
    come_.clear();
  }
  if (retained || identifiers.empty()) return false;
  const std::uint64_t digest = Hash(topic) * 0x9e3779b97f4a7c15U ^ Hash(payload);
  const bool copy = !come_.empty() && digest == digest_ && IsOfTheSame(identifiers);
  if (!copy) come_.clear();
  digest_ = digest;
  come_.insert(come_.end(), identifiers.begin(), identifiers.end());
  return copy;
}

// Whether the filters belong to the same change, and are not those that it has come for.
bool Copies::IsOfTheSame(std::span<const std::uint32_t> identifiers) const {
  return std::all_of(identifiers.begin(), identifiers.end(), [&](std::uint32_t one) {
    return ChangeMark::GenerationOf(one) == ChangeMark::GenerationOf(come_[0]) &&
           std::find(come_.begin(), come_.end(), one) == come_.end();
  });
}

}  // namespace runnel
