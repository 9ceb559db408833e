// Channel: messages with file descriptors between the daemon and one child.
//
// A SOCK_SEQPACKET pair: the daemon hands over configuration and the files of the
// tasks at start; after that it carries nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

struct ChannelMessage {
  std::string bytes;
  std::vector<Fd> fds;
};

class Channel final {
 public:
  static constexpr std::size_t kBytesMax = 192 * 1024;
  static constexpr std::size_t kFdsMax = 16;

  static Result<std::pair<Channel, Fd>> CreatePair();  // mine, and the child's end
  explicit Channel(Fd fd) : fd_(std::move(fd)) {}

  Status Send(std::string_view bytes, const std::vector<int>& fds);
  // Waits for a message. A closed channel gives kReconnect.
  Result<ChannelMessage> Receive();
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace runnel
