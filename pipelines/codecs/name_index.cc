#include "pipelines/codecs/name_index.h"

#include <bit>

namespace runnel {

NameIndex::NameIndex(const FieldTable& table)
    : slots_(std::bit_ceil(2 * table.size() + 2)), mask_(slots_.size() - 1) {
  for (std::size_t field = 0; field < table.size(); ++field) {
    const std::string_view name = table.name(static_cast<std::uint16_t>(field));
    const NameDigest digest(name);
    std::size_t slot = digest.hash & mask_;
    while (slots_[slot].field >= 0) slot = (slot + 1) & mask_;
    slots_[slot] = {digest.head, digest.tail, name, static_cast<int>(field)};
  }
}

}  // namespace runnel
