// FakeBroker: the broker's side of one MQTT connection, byte by byte, for what no real
// broker does on demand: reason codes, repeated packets, silence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace runnel::testing {

struct MqttPacket {
  int type = 0;  // 1 CONNECT, 3 PUBLISH, 4 PUBACK, 8 SUBSCRIBE, …; 0: the connection ended
  int flags = 0;
  std::string body;
};

class FakeBroker final {
 public:
  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

  // Each waits for up to 20 s and then gives a packet of type 0.
  // The next connection's CONNECT; the old connection is closed.
  MqttPacket Accept();
  // The next packet but PINGREQ, which is answered.
  MqttPacket Read();
  // The next packet of this type; others are dropped.
  MqttPacket ReadType(int type);
  // Whether nothing has come for a while.
  bool IsSilent();

  // `type` << 4 | flags, then the length and `body`.
  void Send(int first_byte, std::string_view body);
  void Close();

 private:
  bool ReadExactly(char* bytes, std::size_t size);

  int listener_ = -1;
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace runnel::testing
