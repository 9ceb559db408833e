#include "daemon/posix/fd.h"

#include <cerrno>
#include <cstring>

namespace runnel {

Error Errno(std::string_view what) {
  const int error = errno;
  const bool passing = error == ENOSPC || error == ENOMEM || error == EAGAIN || error == EMFILE ||
                       error == ENFILE || error == EINTR;
  char buffer[128];
  const char* text = strerror_r(error, buffer, sizeof buffer);
  const char* const limit =
      error == EMFILE ? " (`LimitNOFILE=` of the service, `ulimit -Hn` of a shell)" : "";
  return Error{passing ? ErrorKind::kRetry : ErrorKind::kFix,
               std::string(what) + ": " + text + limit};
}

}  // namespace runnel
