#include "daemon/mqtt/options.h"

#include <optional>

#include "config/broker_url.h"

namespace runnel {
namespace {

Error Fix(std::string message) { return Error{ErrorKind::kFix, std::move(message)}; }
std::string Quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

}  // namespace

Status CheckMqttOptions(const MqttOptions& options) {
  if (options.urls.empty()) return Fix("a connection has no broker address");
  std::optional<BrokerUrl::Transport> transport;
  for (const std::string& text : options.urls) {
    BrokerUrl url;
    BrokerUrlProblem problem;
    if (!ParseBrokerUrl(text, url, problem)) return Fix(problem.message);
    // Paho never unsets TLS or WebSockets once a client has used them.
    if (transport && *transport != url.transport) {
      return Fix("the addresses of one broker all begin alike, but " +
                 Quoted(options.urls.front()) + " and " + Quoted(text) + " differ");
    }
    transport = url.transport;
  }
  if (options.client_id.empty() && options.session != MqttSession::kClean) {
    return Fix("a persistent session needs a client id");
  }
  if (options.version == MqttVersion::k5 && !options.inbound_store.empty()) {
    return Fix("MQTT 5 is used without an inbound store: with one, QoS 2 messages are lost");
  }
  if (options.version == MqttVersion::k311 && options.password && !options.user) {
    return Fix("MQTT 3.1.1 has no password without a user name");
  }
  if (options.receive_maximum == 0) return Fix("the receive maximum is 0, expected at least 1");
  if (options.publications_max == 0 || options.publications_max > 60'000) {
    return Fix("at most " + std::to_string(options.publications_max) +
               " publications is out of range, expected 1 to 60000");
  }
  return {};
}

}  // namespace runnel
