#include "tests/support/fake_broker.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipelines/base/check.h"

namespace runnel::testing {
namespace {

bool Readable(int fd, int milliseconds) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, milliseconds) == 1;
}

}  // namespace

FakeBroker::FakeBroker() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  CHECK(listen(listener_, 10) == 0);
  CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

FakeBroker::~FakeBroker() {
  Close();
  close(listener_);
}

MqttPacket FakeBroker::Accept() {
  Close();
  for (;;) {
    if (!Readable(listener_, 20'000)) return {};
    fd_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    MqttPacket packet = Read();
    if (packet.type == 1) return packet;
    Close();  // somebody who looks what is wrong here
  }
}

MqttPacket FakeBroker::Read() {
  for (;;) {
    char first = 0;
    if (!ReadExactly(&first, 1)) return {};
    std::size_t size = 0;
    for (int shift = 0;; shift += 7) {
      char byte = 0;
      if (!ReadExactly(&byte, 1)) return {};
      size |= static_cast<std::size_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    MqttPacket packet{static_cast<unsigned char>(first) >> 4, first & 0xf, std::string(size, '\0')};
    if (!ReadExactly(packet.body.data(), size)) return {};
    if (packet.type != 12) return packet;
    Send(0xd0, "");
  }
}

MqttPacket FakeBroker::ReadType(int type) {
  for (;;) {
    MqttPacket packet = Read();
    if (packet.type == type || packet.type == 0) return packet;
  }
}

bool FakeBroker::IsSilent() { return !Readable(fd_, 300); }

void FakeBroker::Send(int first_byte, std::string_view body) {
  std::string packet(1, static_cast<char>(first_byte));
  std::size_t size = body.size();
  do {
    packet += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
    size >>= 7;
  } while (size > 0);
  packet += body;
  // A client that is gone is seen at the next read.
  static_cast<void>(send(fd_, packet.data(), packet.size(), MSG_NOSIGNAL));
}

void FakeBroker::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

bool FakeBroker::ReadExactly(char* bytes, std::size_t size) {
  while (size > 0) {
    if (!Readable(fd_, 20'000)) return false;
    const ssize_t part = recv(fd_, bytes, size, 0);
    if (part <= 0) return false;
    bytes += part;
    size -= static_cast<std::size_t>(part);
  }
  return true;
}

}  // namespace runnel::testing
