#include "daemon/posix/channel.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace runnel {

Result<std::pair<Channel, Fd>> Channel::CreatePair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Errno("making a channel to a child");
  }
  Fd mine(ends[0]);
  Fd theirs(ends[1]);
  const int size = static_cast<int>(2 * kBytesMax);
  setsockopt(mine.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return std::pair(Channel(std::move(mine)), std::move(theirs));
}

Status Channel::Send(std::string_view bytes, const std::vector<int>& fds) {
  if (bytes.size() > kBytesMax || fds.size() > kFdsMax) {
    return Error{ErrorKind::kFix, "a message of " + std::to_string(bytes.size()) +
                                      " bytes is too large for a child, at most " +
                                      std::to_string(kBytesMax)};
  }
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsMax * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  while (sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return Errno("sending to a child");
  }
  return {};
}

Result<ChannelMessage> Channel::Receive() {
  ChannelMessage result;
  // The size first: a buffer for the largest message would stay in the heap, all of it touched.
  ssize_t size;
  while ((size = recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC)) < 0) {
    if (errno != EINTR) return Errno("receiving from the daemon");
  }
  result.bytes.resize(static_cast<std::size_t>(size));
  iovec part{result.bytes.data(), result.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsMax * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  while ((size = recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno != EINTR) return Errno("receiving from the daemon");
  }
  if (size == 0) return Error{ErrorKind::kReconnect, "the other end of the channel is closed"};
  result.bytes.resize(static_cast<std::size_t>(size));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      result.fds.emplace_back(fd);
    }
  }
  // Files for which there was no place are closed already, in silence.
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    errno = EMFILE;
    return Errno("receiving files from the daemon");
  }
  return result;
}

}  // namespace runnel
