// ByteSource: the bytes of one input, unpacked where it is gzip or zstd.
//
// What a file is its first bytes say, not its name. Members behind one another are read as
// one; an archive that breaks off is an error.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

// Inputs that are there once (standard input, a fifo), for who looks at their beginning before they
// are worked on.
struct Streams {
  struct Kept {
    Fd fd;
    std::string seen;  // what was read while looking, packed as it was; read again afterwards
    bool ended = false;
  };
  bool looking = false;
  int stop_fd = -1;                  // readable: reading ends with an error
  std::map<std::string, Kept> kept;  // by path
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to `size` bytes; 0 at the end.
  virtual Result<std::size_t> Read(char* to, std::size_t size) = 0;
  // Bytes of the file itself that have been read, for progress.
  virtual std::uint64_t consumed() const = 0;

  // Waits neither for who writes to a fifo nor behind a signal to stop. `-` is standard input;
  // `streams` outlives the source.
  static Result<std::unique_ptr<ByteSource>> Open(const std::string& path, Streams& streams);
};

}  // namespace runnel
