// Arena: the bounded scratch memory of one turn (one record).
//
// Strings, lists and maps that evaluation makes live here until Reset(). One
// block, allocated once; when it is full, Allocate gives nullptr and the record
// fails with a reason. Numbers and booleans never need it.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace runnel {

class Arena final {
 public:
  explicit Arena(std::size_t capacity)
      : block_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Memory for `size` bytes, aligned to 16; nullptr when the arena is full.
  void* Allocate(std::size_t size) {
    if (size > capacity_ - used_) return nullptr;
    const std::size_t at = used_;
    const std::size_t rounded = (size + 15) & ~std::size_t{15};
    used_ = rounded > capacity_ - used_ ? capacity_ : used_ + rounded;
    return block_.get() + at;
  }
  template <typename T>
  T* AllocateArray(std::size_t count) {
    static_assert(alignof(T) <= 16);
    if (count > capacity_ / sizeof(T)) return nullptr;
    return static_cast<T*>(Allocate(count * sizeof(T)));
  }
  // A copy of `text` in the arena; its data() is nullptr when the arena is full.
  std::string_view Copy(std::string_view text) {
    char* copy = AllocateArray<char>(text.size());
    if (copy == nullptr) return {};
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
  }
  void Reset() { used_ = 0; }
  std::size_t used() const { return used_; }
  std::size_t capacity() const { return capacity_; }

 private:
  std::unique_ptr<std::byte[]> block_;
  std::size_t capacity_;
  std::size_t used_ = 0;
};

}  // namespace runnel
