#include "daemon/posix/startup_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>

#include "daemon/posix/mapping.h"

namespace runnel {
namespace {

#ifndef RUNNEL_SANITIZED  // a sanitizer has its own allocator and instruments what it maps

// Of the program itself, which is the first object, the segments that nobody writes: code
// and constants, all of them in the file as they are in memory. What the loader writes and
// then protects (RELRO) lies in a segment that is writable. Libraries stay, because other
// processes have the same pages.
int DropPages(dl_phdr_info* info, std::size_t /*size*/, void* /*data*/) {
  const std::uintptr_t page = PageSize();
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t address = info->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t begin = (address + page - 1) / page * page;
    const std::uintptr_t end = (address + segment.p_filesz) / page * page;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1;
}

#endif

}  // namespace

void GiveBackStartupMemory() {
#ifndef RUNNEL_SANITIZED
  malloc_trim(0);
  dl_iterate_phdr(DropPages, nullptr);
#endif
}

}  // namespace runnel
