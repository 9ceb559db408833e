#include "daemon/journal/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "daemon/posix/fd.h"
#include "daemon/posix/files.h"
#include "pipelines/base/crc32c.h"

namespace runnel {
namespace {

// SnapshotHeader, then for each file its extents: ExtentHeader and bytes, closed by
// an extent without bytes; then the CRC32C of everything before.
struct SnapshotHeader {
  std::uint64_t magic;
  std::uint64_t sizes[3];  // of in, work, settle
};
struct ExtentHeader {
  std::uint64_t offset;
  std::uint64_t bytes;
};

constexpr std::uint64_t kMagic = 0x31706e73'6c656e72;  // "rnelsnp1"
constexpr std::array<const char*, 3> kNames = {"/in", "/work", "/settle"};
constexpr char kHalf[] = ".restored";  // behind a name: not known to be whole
constexpr std::size_t kBlock = 64 * 1024;

class CheckedFile final {
 public:
  explicit CheckedFile(Fd fd) : fd_(std::move(fd)) {}

  Status Write(const void* data, std::size_t size) {
    crc_ = Crc32c({static_cast<const std::byte*>(data), size}, crc_);
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(fd_.get(), at, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Errno("writing a snapshot");
      at += written;
      size -= static_cast<std::size_t>(written);
    }
    return {};
  }
  Status Read(void* data, std::size_t size) {
    char* at = static_cast<char*>(data);
    std::size_t left = size;
    while (left > 0) {
      const ssize_t got = ::read(fd_.get(), at, left);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Errno("reading a snapshot");
      if (got == 0) return Error{ErrorKind::kGiveUp, "the snapshot is cut off"};
      at += got;
      left -= static_cast<std::size_t>(got);
    }
    crc_ = Crc32c({static_cast<const std::byte*>(data), size}, crc_);
    return {};
  }
  // Back to the beginning.
  Status Rewind() {
    crc_ = 0;
    return lseek(fd_.get(), 0, SEEK_SET) == 0 ? Status() : Errno("reading a snapshot");
  }
  std::uint32_t crc() const { return crc_; }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::uint32_t crc_ = 0;
};

Status CopyExtent(int from, ExtentHeader extent, CheckedFile& to) {
  if (Status put = to.Write(&extent, sizeof extent); !put.ok()) return put;
  std::vector<char> block(kBlock);
  for (std::uint64_t done = 0; done < extent.bytes;) {
    const std::size_t size = std::min<std::uint64_t>(kBlock, extent.bytes - done);
    if (pread(from, block.data(), size, static_cast<off_t>(extent.offset + done)) !=
        static_cast<ssize_t>(size)) {
      return Errno("reading a journal file");
    }
    if (Status put = to.Write(block.data(), size); !put.ok()) return put;
    done += size;
  }
  return {};
}

// The parts of `from` that are not holes.
Status CopyFile(int from, std::uint64_t size, CheckedFile& to) {
  off_t at = 0;
  while (static_cast<std::uint64_t>(at) < size) {
    const off_t start = lseek(from, at, SEEK_DATA);
    if (start < 0) break;  // only a hole is left
    const off_t end = lseek(from, start, SEEK_HOLE);
    if (end < 0) return Errno("looking for the data of a journal file");
    const ExtentHeader extent{static_cast<std::uint64_t>(start),
                              static_cast<std::uint64_t>(end - start)};
    if (Status copied = CopyExtent(from, extent, to); !copied.ok()) return copied;
    at = end;
  }
  const ExtentHeader last{0, 0};
  return to.Write(&last, sizeof last);
}

using Descriptors = std::array<int, kNames.size()>;

Status WriteAll(const Descriptors& files, CheckedFile& to) {
  SnapshotHeader header{kMagic, {}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Result<std::uint64_t> size = FileSize(files[i]);
    if (!size.ok()) return size.error();
    header.sizes[i] = size.value();
  }
  if (Status put = to.Write(&header, sizeof header); !put.ok()) return put;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (Status copied = CopyFile(files[i], header.sizes[i], to); !copied.ok()) return copied;
  }
  const std::uint32_t crc = to.crc();
  return to.Write(&crc, sizeof crc);
}

Status Save(const Descriptors& files, const std::string& path) {
  const std::string temporary = path + ".new";
  Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!fd.valid()) return Errno("making `" + temporary + "`");
  CheckedFile file(std::move(fd));
  if (Status written = WriteAll(files, file); !written.ok()) {
    unlink(temporary.c_str());
    return std::move(written.error()).In("saving `" + path + "`");
  }
  if (fsync(file.fd()) != 0) return Errno("syncing `" + temporary + "`");
  if (rename(temporary.c_str(), path.c_str()) != 0) return Errno("renaming `" + temporary + "`");
  return {};
}

// Before anything in it is believed: what fails behind this is not the snapshot's fault.
Status Verify(CheckedFile& file) {
  const Result<std::uint64_t> size = FileSize(file.fd());
  if (!size.ok()) return size.error();
  std::uint32_t crc = 0;
  if (size.value() < sizeof crc) return Error{ErrorKind::kGiveUp, "the snapshot is cut off"};
  std::vector<char> block(kBlock);
  for (std::uint64_t left = size.value() - sizeof crc; left > 0;) {
    const std::size_t part = std::min<std::uint64_t>(kBlock, left);
    if (Status got = file.Read(block.data(), part); !got.ok()) return got;
    left -= part;
  }
  const std::uint32_t expected = file.crc();
  if (Status got = file.Read(&crc, sizeof crc); !got.ok()) return got;
  if (crc != expected) return Error{ErrorKind::kGiveUp, "the snapshot's checksum is wrong"};
  return file.Rewind();
}

Status RestoreFile(CheckedFile& from, int to, std::uint64_t size) {
  std::vector<char> block(kBlock);
  for (;;) {
    ExtentHeader extent;
    if (Status got = from.Read(&extent, sizeof extent); !got.ok()) return got;
    if (extent.bytes == 0) return {};
    if (extent.offset > size || extent.bytes > size - extent.offset) {
      return Error{ErrorKind::kGiveUp, "the snapshot is damaged"};
    }
    for (std::uint64_t done = 0; done < extent.bytes;) {
      const std::size_t part = std::min<std::uint64_t>(kBlock, extent.bytes - done);
      if (Status got = from.Read(block.data(), part); !got.ok()) return got;
      if (pwrite(to, block.data(), part, static_cast<off_t>(extent.offset + done)) !=
          static_cast<ssize_t>(part)) {
        return Errno("writing a journal file");
      }
      done += part;
    }
  }
}

Status RestoreAll(CheckedFile& from, const std::string& folder) {
  SnapshotHeader header;
  if (Status got = from.Read(&header, sizeof header); !got.ok()) return got;
  if (header.magic != kMagic) return Error{ErrorKind::kGiveUp, "not a snapshot"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::string path = folder + kNames[i] + kHalf;
    unlink(path.c_str());
    Result<Fd> file = CreateAllocated(path, 1, header.sizes[i]);
    if (!file.ok()) return file.error();
    if (Status done = RestoreFile(from, file.value().get(), header.sizes[i]); !done.ok()) {
      return done;
    }
  }
  return {};
}

}  // namespace

Status SaveSnapshot(const std::string& folder, const std::string& path) {
  Fd files[kNames.size()];
  Descriptors descriptors{};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    Result<Fd> file = OpenFile(folder + kNames[i], O_RDONLY);
    if (!file.ok()) return std::move(file.error()).In("saving `" + folder + "`");
    files[i] = std::move(file).value();
    descriptors[i] = files[i].get();
  }
  return Save(descriptors, path);
}

Status SaveSnapshot(const TaskFiles& files, const std::string& path) {
  return Save({files.in.get(), files.work.get(), files.settle.get()}, path);
}

Status RestoreSnapshot(const std::string& path, const std::string& folder) {
  if (Status made = MakeFolders(folder); !made.ok()) return made;
  Result<Fd> fd = OpenFile(path, O_RDONLY);
  if (!fd.ok()) return fd.error();
  CheckedFile file(std::move(fd).value());
  Status restored = Verify(file);
  if (restored.ok()) restored = RestoreAll(file, folder);
  if (!restored.ok()) {
    for (const char* name : kNames) unlink((folder + name + kHalf).c_str());
    return std::move(restored.error()).In("restoring `" + path + "`");
  }
  for (std::size_t i = kNames.size(); i-- > 0;) {
    const std::string to = folder + kNames[i];
    if (rename((to + kHalf).c_str(), to.c_str()) != 0) return Errno("renaming to `" + to + "`");
  }
  return {};
}

}  // namespace runnel
