// Arbitrary bytes as the pages that another process writes: the header of a file, a
// worker's page, the cursors that free room. Nothing of it is believed unchecked.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "daemon/journal/ring.h"
#include "daemon/journal/task_files.h"
#include "pipelines/base/state.h"

namespace {

using namespace runnel;

void ReadHeaders(const std::uint8_t* data, std::size_t size) {
  static const int fd = memfd_create("control-fuzz", 0);
  if (ftruncate(fd, 0) != 0 || write(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) != 0)
    std::abort();
  for (const FileKind kind : {FileKind::kIn, FileKind::kWork, FileKind::kSettle}) {
    const Result<FileHeader> header = ReadFileHeader(fd, kind);
    if (header.ok() && LayoutOfWork(header.value()).size < header.value().ring_bytes) std::abort();
  }
}

void ReadCheckpoint(const std::uint8_t* data, std::size_t size) {
  alignas(64) static std::byte page[sizeof(WorkPage)];
  std::memset(page, 0, sizeof page);
  std::memcpy(page, data, size < sizeof page ? size : sizeof page);
  const CheckpointSlot slot = CurrentCheckpoint(*reinterpret_cast<const WorkPage*>(page));
  if (slot.number != 0 && slot.check != CheckOf(slot)) std::abort();
}

void RollBack(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLines = 16;
  constexpr std::size_t kRegion = 4096;
  alignas(64) static std::byte region[kRegion];
  alignas(64) static std::byte log[UndoLog::BytesFor(kLines)];
  std::memset(log, 0, sizeof log);
  std::memcpy(log, data, size < sizeof log ? size : sizeof log);
  auto& undo = *reinterpret_cast<UndoLog*>(log);
  undo.capacity = kLines;
  static_cast<void>(StateRegion::RollBack(region, kRegion, undo, 1).ok());
  StateRegion::Options options;
  options.base = region;
  options.capacity = kRegion;
  const Result<StateRegion> attached = StateRegion::Attach(std::move(options));
  if (attached.ok() && attached.value().used() > kRegion) std::abort();
  std::memset(region, 0, sizeof region);
}

void FreeRoom(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kRing = 4096;
  if (size < 8) return;
  std::vector<std::byte> ring(2 * kRing);
  std::atomic<std::uint64_t> head{0};
  std::atomic<std::uint64_t> reclaim{0};
  RingWriter writer(ring.data(), kRing, head, reclaim);
  std::uint64_t cursor = 0;
  std::memcpy(&cursor, data, sizeof cursor);
  reclaim.store(cursor);
  const std::string_view part = "payload";
  for (int i = 0; i < 1000 && writer.HasRoom(RingBytes(1, part.size())); ++i) {
    writer.Append({}, "t", {part});
  }
  if (cursor > writer.end() && writer.end() > kRing) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ReadHeaders(data, size);
  ReadCheckpoint(data, size);
  RollBack(data, size);
  FreeRoom(data, size);
  return 0;
}
