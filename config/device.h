// DeviceConfig: runnel.yaml, what is the same for every pipeline of this device.
//
// Every option has a default: without a file there is one broker, `local`, on this
// host. The first broker is the default of every source and sink.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/broker_url.h"
#include "pipelines/base/time.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"

namespace runnel {

enum class ProtocolVersion { k5, k311 };
enum class Session { kPersistent, kClean };
enum class Durability { kMemory, kDisk };

struct BrokerConfig {
  std::string url;
  std::string client_id;  // empty: made of host and name
  std::string username;
  std::string password;
  std::string ca;    // PEM file; empty: the system's
  std::string cert;  // PEM file of the client, with `key`
  std::string key;
  std::string key_password;
  bool verify = true;
  ProtocolVersion version = ProtocolVersion::k5;
  Session session = Session::kPersistent;
  Duration session_expiry = std::chrono::hours(24);  // MQTT 5
  Duration keep_alive = std::chrono::seconds(60);
  Duration connect_timeout = std::chrono::seconds(10);
  std::int64_t receive_maximum = 100;  // MQTT 5: QoS 1 and 2 messages on their way to us
  std::int64_t publish_window = 100;   // results on their way to the broker
  std::string status = "runnel/{client_id}/status";  // birth and last will; empty: none

  BrokerUrl address;  // of `url`; set by ReadDeviceConfig

  static void Describe(Schema<BrokerConfig>& schema);
};

struct DeviceLimits {
  ByteSize journal = KiB(256);     // of one task, in memory; a power of two
  ByteSize record = KiB(64);       // one message, one result; at most a quarter of `journal`
  ByteSize state = MiB(64);        // of one task: windows and keys
  ByteSize dead_letters = MiB(4);  // of the file that keeps them
  Duration record_timeout = std::chrono::seconds(5);
  Duration max_delay = std::chrono::milliseconds(2);

  // Bytes that an encoded plan may have, which travels as one record.
  std::size_t PlanMax() const { return static_cast<std::size_t>(journal.bytes / 4); }

  static void Describe(Schema<DeviceLimits>& schema);
};

struct DeviceConfig {
  static constexpr std::int64_t kWorkersAuto = -1;

  std::vector<std::pair<std::string, BrokerConfig>> brokers;  // never empty once read
  std::int64_t workers = kWorkersAuto;
  std::vector<std::string> pipelines = {"/etc/runnel/pipelines"};
  std::string state = "/var/lib/runnel";
  std::string runtime = "/run/runnel";
  Durability durability = Durability::kMemory;
  DeviceLimits limits;

  static void Describe(Schema<DeviceConfig>& schema);
  // nullptr where there is no such broker; the first for an empty name.
  const BrokerConfig* FindBroker(std::string_view name) const;
};

// Reads and checks the root of runnel.yaml, or kNull for no file.
std::optional<DeviceConfig> ReadDeviceConfig(const Node& root, Diagnostics& diagnostics);
// Warns of files of brokers that are not there; they may come. `root` is what `device` was read of.
void LookForTlsFiles(const DeviceConfig& device, const Node& root, Diagnostics& diagnostics);

}  // namespace runnel
