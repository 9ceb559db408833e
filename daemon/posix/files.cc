#include "daemon/posix/files.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

namespace runnel {

Status MakeFolders(const std::string& path) {
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), 0750) != 0 && errno != EEXIST) return Errno("making `" + part + "`");
  }
  return {};
}

Result<std::string> ReadFile(const std::string& path, std::size_t size_max) {
  Result<Fd> file = OpenFile(path, O_RDONLY);
  if (!file.ok()) return file.error();
  std::string bytes;
  char block[16 * 1024];
  for (;;) {
    const ssize_t size = ::read(file.value().get(), block, sizeof block);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Errno("reading `" + path + "`");
    if (size == 0) return bytes;
    bytes.append(block, static_cast<std::size_t>(size));
    if (bytes.size() > size_max) {
      return Error{ErrorKind::kFix,
                   "`" + path + "` is larger than " + std::to_string(size_max) + " bytes"};
    }
  }
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".new";
  Fd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!file.valid()) return Errno("making `" + temporary + "`");
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t size = ::write(file.get(), rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Errno("writing `" + temporary + "`");
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  if (fsync(file.get()) != 0) return Errno("syncing `" + temporary + "`");
  if (rename(temporary.c_str(), path.c_str()) != 0) return Errno("renaming `" + temporary + "`");
  return {};
}

Status WriteFileIfOther(const std::string& folder, const std::string& name,
                        std::string_view bytes) {
  const std::string path = folder + "/" + name;
  const Result<std::string> there = ReadFile(path, bytes.size());
  if (there.ok() && there.value() == bytes) return {};
  if (Status made = MakeFolders(folder); !made.ok()) return made;
  return WriteFileAtomically(path, bytes);
}

Result<Fd> CreateAllocated(const std::string& path, std::uint64_t allocated, std::uint64_t size) {
  Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file.valid()) return Errno("making `" + path + "`");
  if (const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(allocated)); error != 0) {
    unlink(path.c_str());
    errno = error;
    return Errno("reserving " + std::to_string(allocated) + " bytes for `" + path + "`");
  }
  if (size > allocated && ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
    unlink(path.c_str());
    return Errno("sizing `" + path + "`");
  }
  return file;
}

Result<Fd> OpenFile(const std::string& path, int flags) {
  Fd file(open(path.c_str(), flags | O_CLOEXEC));
  if (!file.valid()) return Errno("opening `" + path + "`");
  return file;
}

Result<std::uint64_t> FileSize(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return Errno("looking at a file");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Fd> OpenCut(const std::string& path, std::uint64_t size) {
  Result<Fd> file = OpenFile(path, O_RDWR);
  if (!file.ok()) return file;
  const Result<std::uint64_t> there = FileSize(file.value().get());
  if (!there.ok()) return there.error();
  if (there.value() < size) {
    return Error{ErrorKind::kFix, "`" + path + "` has only " + std::to_string(there.value()) +
                                      " of " + std::to_string(size) + " bytes"};
  }
  if (ftruncate(file.value().get(), static_cast<off_t>(size)) != 0) {
    return Errno("cutting `" + path + "`");
  }
  return file;
}

namespace {

// Who has locked a file, as the file says; 0: it does not.
pid_t HolderOf(const std::string& path) {
  const Result<std::string> text = ReadFile(path, 64);
  pid_t pid = 0;
  if (text.ok())
    std::from_chars(text.value().data(), text.value().data() + text.value().size(), pid);
  return pid;
}

bool HasDied(pid_t pid) { return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH; }

}  // namespace

Result<Fd> LockFile(const std::string& path) {
  // A holder that was killed between the fork and the exec of a child has left the lock to it.
  constexpr int kTries = 200;
  constexpr int kMilliseconds = 10;
  Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!file.valid()) return Errno("opening `" + path + "`");
  for (int tries = 0; flock(file.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK) return Errno("locking `" + path + "`");
    const pid_t holder = HolderOf(path);
    if (!HasDied(holder) || tries == kTries) {
      return Error{ErrorKind::kFix, "`" + path + "` is held by another runnel, pid " +
                                        (holder == 0 ? "unknown" : std::to_string(holder))};
    }
    poll(nullptr, 0, kMilliseconds);
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(file.get(), 0) != 0 || ::write(file.get(), pid.data(), pid.size()) < 0) {
    return Errno("writing `" + path + "`");
  }
  return file;
}

Result<Fd> MakeMemoryFile(const char* name, std::uint64_t size) {
  Fd file(memfd_create(name, MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
    return Errno("making memory to share");
  }
  return file;
}

Result<Fd> Reopen(int fd, int flags) {
  return OpenFile("/proc/self/fd/" + std::to_string(fd), flags);
}

Result<Fd> Duplicate(int fd) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return Errno("duplicating a descriptor");
  return copy;
}

}  // namespace runnel
