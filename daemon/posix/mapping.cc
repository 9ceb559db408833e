#include "daemon/posix/mapping.h"

#include <sys/mman.h>

#include <utility>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace runnel {
namespace {

int Protection(Access access) {
  return access == Access::kWrite ? PROT_READ | PROT_WRITE : PROT_READ;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

Mapping::~Mapping() { Unmap(); }

void Mapping::Unmap() {
  if (data_ != nullptr) munmap(data_, mapped_);
  data_ = nullptr;
}

Result<Mapping> Mapping::Map(int fd, std::uint64_t offset, std::size_t size, Access access) {
  void* at = mmap(nullptr, size, Protection(access), MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return Errno("mapping a journal file");
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(at);
  mapping.size_ = size;
  mapping.mapped_ = size;
  return mapping;
}

Result<Mapping> Mapping::MapTwice(int fd, std::uint64_t offset, std::size_t size, Access access) {
  void* at = mmap(nullptr, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return Errno("reserving addresses for a journal");
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(at);
  mapping.size_ = size;
  mapping.mapped_ = 2 * size;
  for (int image = 0; image < 2; ++image) {
    void* part = mmap(mapping.data_ + static_cast<std::size_t>(image) * size, size,
                      Protection(access), MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset));
    if (part == MAP_FAILED) return Errno("mapping a journal file");
  }
  return mapping;
}

bool Mapping::Populate(std::size_t bytes) const {
  return madvise(data_, RoundToPage(bytes), MADV_POPULATE_WRITE) == 0;
}

std::size_t PageSize() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace runnel
