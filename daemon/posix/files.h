// Files: what the daemon does with whole files and folders.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

// Makes `path` and what is missing above it, mode 0750.
Status MakeFolders(const std::string& path);
// Everything in a file of at most `size_max` bytes.
Result<std::string> ReadFile(const std::string& path, std::size_t size_max);
// Replaces `path` in one step: a reader sees the old bytes or the new. Synced.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);
// The same in a folder that may have to be made; nothing where the file has these bytes already, as
// flash wears out.
Status WriteFileIfOther(const std::string& folder, const std::string& name, std::string_view bytes);
// A file of `size` bytes that all have room on the medium now (posix_fallocate):
// a full file system is an error here and not a SIGBUS later. Fails if it exists.
Result<Fd> CreateAllocated(const std::string& path, std::uint64_t allocated, std::uint64_t size);
Result<Fd> OpenFile(const std::string& path, int flags);
Result<std::uint64_t> FileSize(int fd);
// What another process has left: opened and cut to `size` bytes. kFix: it has fewer.
Result<Fd> OpenCut(const std::string& path, std::uint64_t size);

// Locks `path` (made if missing) for this process's life; the file then holds the
// pid. A lock that another process holds is an error that names its pid; where that one has died,
// and a child of it has the lock for a moment more, this waits for up to two seconds.
Result<Fd> LockFile(const std::string& path);

// An unnamed file in memory of `size` bytes, zeroed.
Result<Fd> MakeMemoryFile(const char* name, std::uint64_t size);
// The same file, open as `flags` say (see open(2)), with a description of its own: what is mapped
// from one for reading can never be made writable. It needs no name any more.
Result<Fd> Reopen(int fd, int flags);
// The same description once more; closed on exec.
Result<Fd> Duplicate(int fd);

}  // namespace runnel
