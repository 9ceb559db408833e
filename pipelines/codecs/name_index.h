// NameIndex: finds the number of a field name among those of a FieldTable.
//
// The same answer as FieldTable::Find, without making a string: for decoders, once
// per name that they have not predicted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "pipelines/base/scan.h"
#include "pipelines/value/record.h"

namespace runnel {

// A name's first and last bytes, which are all of it up to 16 bytes, and a hash.
struct NameDigest {
  explicit NameDigest(std::string_view name) {
    const char* const text = name.data();
    const std::size_t size = name.size();
    if (size >= 8) {
      head = scan::Load8(text);
      tail = scan::Load8(text + size - 8);
    } else if (size >= 4) {
      head = scan::Load4(text);
      tail = scan::Load4(text + size - 4);
    } else if (size > 0) {
      head = static_cast<unsigned char>(text[0]);
      tail = static_cast<std::uint64_t>(static_cast<unsigned char>(text[size / 2])) << 8 |
             static_cast<unsigned char>(text[size - 1]);
    }
    const std::uint64_t mixed = (head ^ (tail << 32 | tail >> 32) ^ size) * 0x9e3779b97f4a7c15;
    hash = mixed ^ mixed >> 32;
  }

  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::uint64_t hash;
};

class NameIndex final {
 public:
  // `table` is complete, and outlives the index.
  explicit NameIndex(const FieldTable& table);

  // The number of `name`, or -1.
  int Find(std::string_view name, const NameDigest& digest) const {
    for (std::size_t slot = digest.hash & mask_;; slot = (slot + 1) & mask_) {
      const Slot& entry = slots_[slot];
      if (entry.field < 0) return -1;
      if (entry.head == digest.head && entry.tail == digest.tail &&
          entry.name.size() == name.size() && (name.size() <= 16 || entry.name == name)) {
        return entry.field;
      }
    }
  }

 private:
  struct Slot {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::string_view name;
    int field = -1;
  };

  std::vector<Slot> slots_;  // at most half full
  std::size_t mask_ = 0;
};

}  // namespace runnel
