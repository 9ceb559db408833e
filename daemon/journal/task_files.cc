#include "daemon/journal/task_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "daemon/posix/files.h"
#include "pipelines/base/crc32c.h"
#include "pipelines/base/state.h"

namespace runnel {
namespace {

constexpr std::uint64_t kMagic = 0x6c656e6e7572'0a1a;  // "runnel" and two bytes that text lacks
constexpr std::uint64_t kRingMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kRedeliveryMax = 65'536;
constexpr std::uint64_t kStateMax = std::uint64_t{32} << 30;

std::uint32_t CheckOf(const FileHeader& header) {
  return Crc32c({reinterpret_cast<const std::byte*>(&header), offsetof(FileHeader, check)});
}

FileHeader MakeHeader(FileKind kind, std::uint64_t incarnation, std::uint64_t ring,
                      std::uint64_t extra) {
  FileHeader header{};
  header.magic = kMagic;
  header.version = kFormatVersion;
  header.kind = kind;
  header.incarnation = incarnation;
  header.ring_bytes = ring;
  header.extra_bytes = extra;
  header.check = CheckOf(header);
  return header;
}

std::uint64_t SizeOf(const FileHeader& header) {
  if (header.kind == FileKind::kIn) return LayoutOfIn(header).size;
  if (header.kind == FileKind::kWork) return LayoutOfWork(header).size;
  return RoundToPage(sizeof(SettlePage));
}

bool SizesAreSane(const FileHeader& header) {
  if (header.kind == FileKind::kSettle) return header.ring_bytes == 0 && header.extra_bytes == 0;
  const std::uint64_t ring = header.ring_bytes;
  if (!std::has_single_bit(ring) || ring < PageSize() || ring > kRingMax) return false;
  return header.extra_bytes <= (header.kind == FileKind::kIn ? kRedeliveryMax : kStateMax);
}

// Makes one file and writes its header last, so that half a file is never taken for whole.
Result<Fd> MakeFile(const std::string& path, const FileHeader& header, std::uint64_t allocated) {
  unlink(path.c_str());
  Result<Fd> file = CreateAllocated(path, allocated, SizeOf(header));
  if (!file.ok()) return file;
  if (pwrite(file.value().get(), &header, sizeof header, 0) != sizeof header) {
    return Errno("writing `" + path + "`");
  }
  return file;
}

Status Reserve(int fd, std::uint64_t bytes) {
  errno = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  return errno == 0 ? Status() : Errno("reserving room for a journal");
}

struct Opened {
  Fd fd;
  FileHeader header{};
};

Result<Opened> OpenOne(const std::string& path, FileKind kind) {
  Result<Fd> fd = OpenFile(path, O_RDWR);
  if (!fd.ok()) return fd.error();
  Result<FileHeader> header = ReadFileHeader(fd.value().get(), kind);
  if (!header.ok()) return std::move(header.error()).In("`" + path + "`");
  return Opened{std::move(fd).value(), header.value()};
}

}  // namespace

Result<TaskFiles> TaskFiles::Open(const std::string& folder) {
  Result<Opened> in = OpenOne(folder + "/in", FileKind::kIn);
  if (!in.ok()) return in.error();
  Result<Opened> work = OpenOne(folder + "/work", FileKind::kWork);
  if (!work.ok()) return work.error();
  Result<Opened> settle = OpenOne(folder + "/settle", FileKind::kSettle);
  if (!settle.ok()) return settle.error();
  const std::uint64_t incarnation = in.value().header.incarnation;
  if (work.value().header.incarnation != incarnation ||
      settle.value().header.incarnation != incarnation) {
    return Error{ErrorKind::kGiveUp, "the files of `" + folder + "` are of different incarnations"};
  }
  TaskFiles files;
  files.in = std::move(in.value().fd);
  files.work = std::move(work.value().fd);
  files.settle = std::move(settle.value().fd);
  files.in_header = in.value().header;
  files.work_header = work.value().header;
  files.origin = TaskOrigin::kKept;
  // A restored file may have holes where a new one has room.
  if (Status in_room = Reserve(files.in.get(), SizeOf(files.in_header)); !in_room.ok()) {
    return in_room.error();
  }
  if (Status out_room = Reserve(files.work.get(), LayoutOfWork(files.work_header).state);
      !out_room.ok()) {
    return out_room.error();
  }
  return files;
}

Status TaskFiles::Remove(const std::string& folder) const {
  const std::string first = folder + "/in";
  if (unlink(first.c_str()) != 0) return Errno("removing `" + first + "`");
  // Whatever becomes of the rest, it is nothing any more.
  for (const char* name : {"/work", "/settle"}) unlink((folder + name).c_str());
  rmdir(folder.c_str());
  // Not every file system can do that; then it is given back with the last mapping.
  const auto give_back = [](const Fd& file, std::uint64_t at, std::uint64_t bytes) {
    static_cast<void>(fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(at), static_cast<off_t>(bytes)));
  };
  give_back(in, LayoutOfIn(in_header).ring, in_header.ring_bytes);
  give_back(work, LayoutOfWork(work_header).ring, work_header.ring_bytes);
  return {};
}

namespace {

Result<TaskFiles> MakeAll(const std::string& folder, const TaskSizes& sizes,
                          std::uint64_t incarnation) {
  TaskFiles files;
  files.in_header = MakeHeader(FileKind::kIn, incarnation, sizes.in_ring, sizes.redelivery);
  files.work_header = MakeHeader(FileKind::kWork, incarnation, sizes.out_ring, sizes.state);
  const FileHeader settle = MakeHeader(FileKind::kSettle, incarnation, 0, 0);
  Result<Fd> in = MakeFile(folder + "/in", files.in_header, SizeOf(files.in_header));
  if (!in.ok()) return in.error();
  Result<Fd> work =
      MakeFile(folder + "/work", files.work_header, LayoutOfWork(files.work_header).state);
  if (!work.ok()) return work.error();
  Result<Fd> settled = MakeFile(folder + "/settle", settle, SizeOf(settle));
  if (!settled.ok()) return settled.error();
  files.in = std::move(in).value();
  files.work = std::move(work).value();
  files.settle = std::move(settled).value();
  return files;
}

}  // namespace

std::string PipelineFolderName(const std::string& pipeline, std::uint32_t generation) {
  return generation == 0 ? pipeline : pipeline + "@" + std::to_string(generation);
}

std::string TaskId::PipelineFolder() const { return PipelineFolderName(pipeline, generation); }

std::string TaskId::Name() const { return PipelineFolder() + "/" + FolderInPipeline(); }

std::string TaskId::FolderInPipeline() const {
  return std::to_string(stage) + "." + std::to_string(partition);
}

std::optional<TaskId> ParseTaskId(const std::string& pipeline_folder, std::string_view folder) {
  TaskId id;
  id.pipeline = pipeline_folder.substr(0, pipeline_folder.find('@'));
  if (id.pipeline.size() < pipeline_folder.size()) {
    const char* const last = pipeline_folder.data() + pipeline_folder.size();
    const auto read =
        std::from_chars(pipeline_folder.data() + id.pipeline.size() + 1, last, id.generation);
    if (read.ec != std::errc() || read.ptr != last || id.generation == 0) return std::nullopt;
  }
  const char* const end = folder.data() + folder.size();
  const auto stage = std::from_chars(folder.data(), end, id.stage);
  if (stage.ec != std::errc() || stage.ptr == end || *stage.ptr != '.') return std::nullopt;
  const auto partition = std::from_chars(stage.ptr + 1, end, id.partition);
  if (partition.ec != std::errc() || partition.ptr != end) return std::nullopt;
  return id;
}

InLayout LayoutOfIn(const FileHeader& header) {
  InLayout layout;
  layout.redelivery = RoundToPage(sizeof(InPage));
  layout.ring = layout.redelivery + RoundToPage(header.extra_bytes * sizeof(RedeliveryEntry));
  layout.size = layout.ring + header.ring_bytes;
  return layout;
}

WorkLayout LayoutOfWork(const FileHeader& header) {
  WorkLayout layout;
  layout.ring = RoundToPage(sizeof(WorkPage));
  layout.undo = layout.ring + header.ring_bytes;
  layout.state = layout.undo + RoundToPage(UndoLog::BytesFor(kUndoLines));
  layout.size = layout.state + RoundToPage(header.extra_bytes);
  return layout;
}

Result<FileHeader> ReadFileHeader(int fd, FileKind kind) {
  FileHeader header;
  if (pread(fd, &header, sizeof header, 0) != sizeof header || header.magic != kMagic) {
    return Error{ErrorKind::kGiveUp, "not a file of a runnel task"};
  }
  if (header.version != kFormatVersion) {
    return Error{ErrorKind::kGiveUp, "format " + std::to_string(header.version) +
                                         " is not this program's format " +
                                         std::to_string(kFormatVersion)};
  }
  if (header.check != CheckOf(header) || header.kind != kind || !SizesAreSane(header)) {
    return Error{ErrorKind::kGiveUp, "the header is damaged"};
  }
  const Result<std::uint64_t> size = FileSize(fd);
  if (!size.ok()) return size.error();
  if (size.value() < SizeOf(header)) {
    return Error{ErrorKind::kGiveUp, "the file is cut off at " + std::to_string(size.value()) +
                                         " of " + std::to_string(SizeOf(header)) + " bytes"};
  }
  return header;
}

Result<TaskFiles> TaskFiles::Prepare(const std::string& folder, const TaskSizes& sizes,
                                     std::uint64_t incarnation) {
  if (const Status made = MakeFolders(folder); !made.ok()) return made.error();
  Result<TaskFiles> kept = Open(folder);
  if (kept.ok() || kept.error().kind == ErrorKind::kRetry) return kept;
  const bool nothing_there =
      access((folder + "/in").c_str(), F_OK) != 0 && access((folder + "/work").c_str(), F_OK) != 0;
  Result<TaskFiles> made = MakeAll(folder, sizes, incarnation);
  if (made.ok() && !nothing_there) made.value().why_made = kept.error().message;
  return made;
}

std::uint64_t TaskFiles::BytesFor(const TaskSizes& sizes) {
  const FileHeader in = MakeHeader(FileKind::kIn, 0, sizes.in_ring, sizes.redelivery);
  const FileHeader work = MakeHeader(FileKind::kWork, 0, sizes.out_ring, sizes.state);
  return LayoutOfIn(in).size + LayoutOfWork(work).state +
         SizeOf(MakeHeader(FileKind::kSettle, 0, 0, 0));
}

std::uint32_t CheckOf(const CheckpointSlot& slot) {
  return Crc32c({reinterpret_cast<const std::byte*>(&slot), offsetof(CheckpointSlot, check)});
}

CheckpointSlot CurrentCheckpoint(const WorkPage& page) {
  CheckpointSlot current{};
  for (const CheckpointSlot& shared : page.slots) {
    CheckpointSlot slot;
    std::memcpy(&slot, &shared, sizeof slot);
    if (slot.number > current.number && slot.check == CheckOf(slot)) current = slot;
  }
  return current;
}

}  // namespace runnel
