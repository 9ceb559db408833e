// BrokerUrl: where a broker listens: `mqtt://host`, `mqtts://host:8884`,
// `ws://host/mqtt`, `mqtt://[::1]:1883`.
//
// Refuses user and password (they are options of their own, so that no log shows
// them), queries, and paths where there is no WebSocket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace runnel {

struct BrokerUrl {
  enum class Transport { kTcp, kTls, kWebSocket, kWebSocketTls };

  Transport transport = Transport::kTcp;
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 1883;
  std::string path;  // of a WebSocket, with its slash; may be empty

  bool tls() const { return transport == Transport::kTls || transport == Transport::kWebSocketTls; }
  // As Paho takes it: tcp, ssl, ws or wss, always with the port.
  std::string ForPaho() const;
};

// What is wrong with a URL, as the end of a message; and advice.
struct BrokerUrlProblem {
  std::string message;
  std::string hint;
};

// `tcp://` is `mqtt://` and `ssl://` is `mqtts://`. Default ports: 1883, 8883, 80, 443.
// False: `problem` says why.
bool ParseBrokerUrl(std::string_view text, BrokerUrl& url, BrokerUrlProblem& problem);

}  // namespace runnel
