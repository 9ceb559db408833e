// Reasons: the broker's reason codes in plain words.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/mqtt/options.h"

namespace runnel {

inline constexpr std::uint8_t kReasonFailure = 0x80;  // this and above: refused
inline constexpr std::uint8_t kReasonTakenOver = 0x8e;
inline constexpr std::uint8_t kReasonPacketTooLarge = 0x95;
inline constexpr std::uint8_t kReasonQuotaExceeded = 0x97;

// `not authorized (0x87)`: a code of MQTT 5, section 2.4.
std::string ReasonWords(std::uint8_t code);
// The code of a CONNACK; 3.1.1 has codes of its own.
std::string ConnackWords(MqttVersion version, std::uint8_t code);
// Whether a human must change something before a connect with this answer succeeds.
bool ConnackNeedsFix(MqttVersion version, std::uint8_t code);
// The code of a SUBACK at or above 0x80; 3.1.1 has but one.
std::string SubackWords(MqttVersion version, std::uint8_t code);

}  // namespace runnel
