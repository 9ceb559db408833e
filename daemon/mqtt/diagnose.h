// Diagnose: why a broker cannot be reached, in words.
//
// Paho says no more than "connect failed". So after a failure this walks the same way
// once more on a socket of its own, name, TCP, TLS, and tells where it ends.
#pragma once

#include <chrono>
#include <string>

#include "config/broker_url.h"
#include "daemon/mqtt/options.h"

namespace runnel {

// Whether the broker's name has an address. Blocks as long as the resolver takes; done
// before Paho does it, which would hold its lock meanwhile.
Status ResolveHost(const BrokerUrl& url);

// Blocks for at most a few times `timeout`. kFix: TLS, or files for it, must change.
Error DiagnoseConnect(const BrokerUrl& url, const MqttTls& tls, std::chrono::milliseconds timeout);

}  // namespace runnel
