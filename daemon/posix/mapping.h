// Mapping: shared memory over part of a file; a ring is mapped twice in a row.
//
// The second image of a ring makes every record contiguous, wherever it starts,
// and gives a parser readable bytes behind the last one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

enum class Access { kRead, kWrite };  // kWrite reads too

class Mapping final {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // `offset` and `size` are multiples of the page size; the file has the bytes.
  static Result<Mapping> Map(int fd, std::uint64_t offset, std::size_t size, Access access);
  // `size` bytes of the file, visible at data() and again at data() + size.
  static Result<Mapping> MapTwice(int fd, std::uint64_t offset, std::size_t size, Access access);

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }  // of one image

  // Makes [0, bytes) usable now: gives false where touching it would kill (no room
  // in the file system or no memory).
  bool Populate(std::size_t bytes) const;

 private:
  void Unmap();

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;  // bytes of address space
};

// The size of a page; sizes of files and rings are multiples of it.
std::size_t PageSize();
inline std::size_t RoundToPage(std::size_t bytes) {
  return (bytes + PageSize() - 1) / PageSize() * PageSize();
}

}  // namespace runnel
