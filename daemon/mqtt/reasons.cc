#include "daemon/mqtt/reasons.h"

#include <algorithm>
#include <array>

namespace runnel {
namespace {

struct Reason {
  std::uint8_t code;
  const char* words;
};

// MQTT 5, table 2-6; sorted by code.
constexpr std::array kReasons = std::to_array<Reason>({
    {0x00, "success"},
    {0x01, "granted QoS 1"},
    {0x02, "granted QoS 2"},
    {0x04, "disconnect with will message"},
    {0x10, "no matching subscribers"},
    {0x11, "no subscription existed"},
    {0x18, "continue authentication"},
    {0x19, "re-authenticate"},
    {0x80, "unspecified error"},
    {0x81, "malformed packet"},
    {0x82, "protocol error"},
    {0x83, "implementation specific error"},
    {0x84, "unsupported protocol version"},
    {0x85, "client identifier not valid"},
    {0x86, "bad user name or password"},
    {0x87, "not authorized"},
    {0x88, "server unavailable"},
    {0x89, "server busy"},
    {0x8a, "banned"},
    {0x8b, "server shutting down"},
    {0x8c, "bad authentication method"},
    {0x8d, "keep alive timeout"},
    {0x8e, "session taken over"},
    {0x8f, "topic filter invalid"},
    {0x90, "topic name invalid"},
    {0x91, "packet identifier in use"},
    {0x92, "packet identifier not found"},
    {0x93, "receive maximum exceeded"},
    {0x94, "topic alias invalid"},
    {0x95, "packet too large"},
    {0x96, "message rate too high"},
    {0x97, "quota exceeded"},
    {0x98, "administrative action"},
    {0x99, "payload format invalid"},
    {0x9a, "retain not supported"},
    {0x9b, "QoS not supported"},
    {0x9c, "use another server"},
    {0x9d, "server moved"},
    {0x9e, "shared subscriptions not supported"},
    {0x9f, "connection rate exceeded"},
    {0xa0, "maximum connect time"},
    {0xa1, "subscription identifiers not supported"},
    {0xa2, "wildcard subscriptions not supported"},
});

// MQTT 3.1.1, table 3.1.
constexpr std::array kConnack311 = std::to_array<const char*>({
    "accepted",
    "unacceptable protocol version",
    "client identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
});

std::string WithCode(const char* words, std::uint8_t code) {
  constexpr char kDigits[] = "0123456789abcdef";
  return std::string(words) + " (0x" + kDigits[code >> 4] + kDigits[code & 0xf] + ")";
}

}  // namespace

std::string ReasonWords(std::uint8_t code) {
  const auto found = std::lower_bound(
      kReasons.begin(), kReasons.end(), code,
      [](const Reason& reason, std::uint8_t wanted) { return reason.code < wanted; });
  const bool known = found != kReasons.end() && found->code == code;
  return WithCode(known ? found->words : "unknown reason", code);
}

std::string ConnackWords(MqttVersion version, std::uint8_t code) {
  if (version == MqttVersion::k5) return ReasonWords(code);
  return WithCode(code < kConnack311.size() ? kConnack311[code] : "unknown reason", code);
}

bool ConnackNeedsFix(MqttVersion version, std::uint8_t code) {
  if (version == MqttVersion::k311) return code != 3;
  constexpr std::uint8_t kPassing[] = {0x80, 0x83, 0x88, 0x89, 0x8b, 0x97, 0x9f};
  return std::find(std::begin(kPassing), std::end(kPassing), code) == std::end(kPassing);
}

std::string SubackWords(MqttVersion version, std::uint8_t code) {
  return version == MqttVersion::k5 ? ReasonWords(code) : "refused without a reason (0x80)";
}

}  // namespace runnel
