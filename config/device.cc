#include "config/device.h"

#include <bit>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace runnel {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kWorkersMax = 64;
constexpr std::size_t kNameMax = 63;
constexpr std::size_t kBrokersMax = 16;

// What the checks across options need: where an option is, and where to report.
class Checks final {
 public:
  Checks(const Node& node, const Position& at, Diagnostics& diagnostics)
      : node_(node), at_(at), diagnostics_(diagnostics) {}

  const Position& PlaceOf(std::string_view option) const {
    const Node* found = node_.Find(option);
    return found != nullptr ? found->position : at_;
  }
  void Wrong(std::string_view option, std::string message, std::string hint = {}) {
    diagnostics_.Error(PlaceOf(option), std::move(message), std::move(hint));
    ok_ = false;
  }
  bool Has(std::string_view option) const { return node_.Find(option) != nullptr; }
  // Also of the short form, in which the node is the value of `option` itself.
  bool IsCredential(std::string_view option) const {
    const Node* found = node_.IsScalar() ? &node_ : node_.Find(option);
    return found != nullptr && found->origin == Node::Origin::kCredential;
  }
  bool ok() const { return ok_; }

 private:
  const Node& node_;
  const Position& at_;
  Diagnostics& diagnostics_;
  bool ok_ = true;
};

bool IsName(std::string_view name) {
  const auto good = [](char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!first && (c == '-' || c == '_'));
  };
  if (name.empty() || name.size() > kNameMax) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!good(name[i], i == 0)) return false;
  }
  return true;
}

void CheckTls(const BrokerConfig& broker, Checks& checks) {
  if (!broker.address.tls()) {
    for (const std::string_view option : {"ca", "cert", "key", "key_password", "verify"}) {
      if (!checks.Has(option)) continue;
      checks.Wrong(option, "`" + std::string(option) + "` needs TLS, and `url` has none",
                   "use mqtts:// or wss://");
    }
    return;
  }
  if (!broker.cert.empty() && broker.key.empty()) {
    checks.Wrong("cert", "`cert` without `key`");
  }
  if (!broker.key.empty() && broker.cert.empty()) checks.Wrong("key", "`key` without `cert`");
  if (!broker.key_password.empty() && broker.key.empty()) {
    checks.Wrong("key_password", "`key_password` without `key`");
  }
}

// MQTT counts both in seconds.
void CheckWholeSeconds(std::string_view option, Duration duration, Checks& checks) {
  if (duration % 1s == 0s) return;
  checks.Wrong(option, "`" + std::string(option) + "` is not a whole number of seconds, found `" +
                           FormatDuration(duration) + "`");
}

void CheckBroker(BrokerConfig& broker, Checks& checks) {
  BrokerUrlProblem problem;
  if (!ParseBrokerUrl(broker.url, broker.address, problem)) {
    if (checks.IsCredential("url")) problem.hint.clear();
    checks.Wrong("url", "`url` " + problem.message, problem.hint);
  } else {
    CheckTls(broker, checks);
  }
  if (broker.version == ProtocolVersion::k311) {
    if (!broker.password.empty() && broker.username.empty()) {
      checks.Wrong("password", "`password` without `username`, which MQTT 3.1.1 does not know");
    }
    for (const std::string_view option : {"session_expiry", "receive_maximum"}) {
      if (!checks.Has(option)) continue;
      checks.Wrong(option, "`" + std::string(option) + "` needs `version: 5`");
    }
  }
  if (broker.session == Session::kClean && checks.Has("session_expiry")) {
    checks.Wrong("session_expiry", "`session_expiry` needs `session: persistent`");
  }
  CheckWholeSeconds("keep_alive", broker.keep_alive, checks);
  CheckWholeSeconds("session_expiry", broker.session_expiry, checks);
  if (broker.status.find_first_of("+#") != std::string::npos) {
    checks.Wrong("status", "`status` is a topic with a wildcard");
  }
}

// The name of an earlier broker that is the same place with the same client; nullptr: none is.
const std::string* SharesSession(const DeviceConfig& device, std::size_t index) {
  const BrokerConfig& own = device.brokers[index].second;
  for (std::size_t i = 0; i < index && !own.client_id.empty(); ++i) {
    const BrokerConfig& other = device.brokers[i].second;
    const bool same = other.client_id == own.client_id && other.address.host == own.address.host &&
                      other.address.port == own.address.port;
    if (same) return &device.brokers[i].first;
  }
  return nullptr;
}

bool CheckBrokers(DeviceConfig& device, const Node* node, Diagnostics& diagnostics) {
  if (node == nullptr || device.brokers.empty()) {
    if (node != nullptr) {
      diagnostics.Error(node->position, "`brokers` is empty",
                        "leave it out for a broker on this host");
      return false;
    }
    BrokerConfig local;
    local.url = "mqtt://127.0.0.1:1883";
    local.address = {BrokerUrl::Transport::kTcp, "127.0.0.1", 1883, ""};
    device.brokers.emplace_back("local", std::move(local));
    return true;
  }
  bool ok = true;
  if (device.brokers.size() > kBrokersMax) {
    diagnostics.Error(node->position, "`brokers` has more than " + std::to_string(kBrokersMax));
    ok = false;
  }
  for (std::size_t i = 0; i < device.brokers.size(); ++i) {
    auto& [name, broker] = device.brokers[i];
    const Node::Member& member = node->members[i];
    if (!IsName(name)) {
      diagnostics.Error(member.position, "`" + name + "` is not a name for a broker",
                        "up to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit");
      ok = false;
    }
    // The short form `local: mqtt://…` has its text for the place of `url`.
    Checks checks(member.value, member.value.IsMap() ? member.position : member.value.position,
                  diagnostics);
    CheckBroker(broker, checks);
    ok = ok && checks.ok();
    if (const std::string* other = SharesSession(device, i)) {
      checks.Wrong("client_id", "`client_id` is that of `" + *other + "` too, at the same broker",
                   "a broker knows a client by it, and ends the connection of the other one");
      ok = false;
    }
  }
  return ok;
}

bool CheckLimits(const DeviceLimits& limits, const Node* node, const Position& at,
                 Diagnostics& diagnostics) {
  const Node none;
  Checks checks(node != nullptr ? *node : none, at, diagnostics);
  if (!std::has_single_bit(static_cast<std::uint64_t>(limits.journal.bytes))) {
    checks.Wrong("journal",
                 "`journal` is not a power of two, found `" + FormatByteSize(limits.journal) + "`",
                 "such as 256KiB, 512KiB or 1MiB");
  } else if (limits.record.bytes > limits.journal.bytes / 4) {
    checks.Wrong(checks.Has("record") ? "record" : "journal",
                 "`record` is larger than a quarter of `journal`: " +
                     FormatByteSize(limits.record) + " of " + FormatByteSize(limits.journal));
  }
  return checks.ok();
}

bool CheckPaths(const DeviceConfig& device, const Node& root, Diagnostics& diagnostics) {
  Checks checks(root, root.position, diagnostics);
  for (const auto& [option, path] :
       {std::pair<std::string_view, const std::string&>{"state", device.state},
        {"runtime", device.runtime}}) {
    if (path.empty() || path.front() == '/') continue;
    checks.Wrong(option, "`" + std::string(option) + "` is not an absolute path");
  }
  if (device.state == device.runtime) {
    checks.Wrong("runtime", "`runtime` and `state` are the same folder");
  }
  if (device.durability == Durability::kDisk) {
    checks.Wrong("durability", "`durability: disk` is not in this version, expected `memory`");
  }
  return checks.ok();
}

}  // namespace

void BrokerConfig::Describe(Schema<BrokerConfig>& schema) {
  schema.Shorthand("url");
  schema.Required("url", &BrokerConfig::url, "Where it listens: mqtt, mqtts, ws or wss.")
      .NotEmpty()
      .Example("mqtt://127.0.0.1:1883");
  schema.Optional("client_id", &BrokerConfig::client_id,
                  "MQTT client identifier; of host and broker name where there is none.");
  schema.Optional("username", &BrokerConfig::username, "User name.");
  schema.Optional("password", &BrokerConfig::password, "Password.").Example("\"${cred:upstream}\"");
  schema.Optional("ca", &BrokerConfig::ca, "PEM file of the authorities that are trusted.");
  schema.Optional("cert", &BrokerConfig::cert, "PEM file of the client's certificate.");
  schema.Optional("key", &BrokerConfig::key, "PEM file of the client's key.");
  schema.Optional("key_password", &BrokerConfig::key_password, "Password of the key.");
  schema.Optional("verify", &BrokerConfig::verify,
                  "Whether the broker's certificate and name are checked.");
  schema.Optional("version", &BrokerConfig::version, "Version of MQTT.")
      .OneOf({{"5", ProtocolVersion::k5}, {"3.1.1", ProtocolVersion::k311}});
  schema
      .Optional("session", &BrokerConfig::session,
                "Whether the broker keeps messages while this device is away.")
      .OneOf({{"persistent", Session::kPersistent}, {"clean", Session::kClean}});
  schema
      .Optional("session_expiry", &BrokerConfig::session_expiry,
                "How long the broker keeps them (MQTT 5).")
      .Between(1s, std::chrono::days(1000));
  schema
      .Optional("keep_alive", &BrokerConfig::keep_alive,
                "Longest silence before the connection is tested.")
      .Between(5s, 65'535s);
  schema
      .Optional("connect_timeout", &BrokerConfig::connect_timeout,
                "How long one attempt to connect may take.")
      .Between(1s, 5min);
  schema
      .Optional("receive_maximum", &BrokerConfig::receive_maximum,
                "Messages of QoS 1 and 2 on their way to this device at once (MQTT 5).")
      .Between(1, 65'535);
  schema
      .Optional("publish_window", &BrokerConfig::publish_window,
                "Results on their way to the broker at once; at most what it allows.")
      .Between(1, 1'000);
  schema.Optional("status", &BrokerConfig::status,
                  "Topic that says whether this device is online; empty for none.");
}

void DeviceLimits::Describe(Schema<DeviceLimits>& schema) {
  schema.Optional("journal", &DeviceLimits::journal, "Journal of one task; a power of two.")
      .Between(KiB(64), MiB(64));
  schema
      .Optional("record", &DeviceLimits::record,
                "Largest message and result; at most a quarter of `journal`.")
      .Between(KiB(1), MiB(16));
  schema.Optional("state", &DeviceLimits::state, "Windows and keys of one task.")
      .Between(KiB(64), MiB(4096));
  schema
      .Optional(
          "dead_letters", &DeviceLimits::dead_letters,
          "Room for records that could not be processed: a line of JSON each in "
          "`dead-letters/PIPELINE.ndjson` below `state`, with the reason, the step, time, topic "
          "and payload.")
      .Between(KiB(64), MiB(4096));
  schema
      .Optional("record_timeout", &DeviceLimits::record_timeout,
                "Longest work on one record before its worker is killed.")
      .Between(100ms, 10min);
  schema
      .Optional(
          "max_delay", &DeviceLimits::max_delay,
          "How long a sleeping worker may wait for more records, if it was woken as recently; "
          "a record that comes alone is taken at once. Results wait ten times as long to "
          "leave together, but no more than 20ms where `max_delay` is less.")
      .Between(0s, 1s);
}

void DeviceConfig::Describe(Schema<DeviceConfig>& schema) {
  schema.Optional("brokers", &DeviceConfig::brokers,
                  "MQTT brokers by name; the first is the default.");
  schema
      .Optional("workers", &DeviceConfig::workers,
                "Worker processes; 0 runs the same code inside the daemon.")
      .Between(0, kWorkersMax)
      .Or("auto", kWorkersAuto);
  schema.Optional("pipelines", &DeviceConfig::pipelines, "A folder or a list of files and folders.")
      .OrSingle()
      .NotEmpty();
  schema
      .Optional("state", &DeviceConfig::state,
                "Folder of what outlives a power cut: snapshots of a planned stop, dead letters.")
      .NotEmpty();
  schema.Optional("runtime", &DeviceConfig::runtime, "Folder of the journals, in memory.")
      .NotEmpty();
  schema
      .Optional("durability", &DeviceConfig::durability,
                "What journals outlive; `disk` is not in this version.")
      .OneOf({{"memory", Durability::kMemory}, {"disk", Durability::kDisk}});
  schema.Optional("limits", &DeviceConfig::limits, "Limits of memory and time.");
}

const BrokerConfig* DeviceConfig::FindBroker(std::string_view name) const {
  for (const auto& [broker_name, broker] : brokers) {
    if (name.empty() || broker_name == name) return &broker;
  }
  return nullptr;
}

void LookForTlsFiles(const DeviceConfig& device, const Node& root, Diagnostics& diagnostics) {
  for (const auto& [name, broker] : device.brokers) {
    for (const auto& [option, path] : {std::pair{"ca", &broker.ca}, std::pair{"cert", &broker.cert},
                                       std::pair{"key", &broker.key}}) {
      if (path->empty()) continue;
      const Position& at = root.Find("brokers")->Find(name)->Find(option)->position;
      std::error_code error;
      const auto type = std::filesystem::status(*path, error).type();
      if (type == std::filesystem::file_type::not_found) {
        diagnostics.Warning(at, "there is no file `" + *path + "`");
      } else if (type == std::filesystem::file_type::directory) {
        diagnostics.Warning(at, "`" + *path + "` is a folder");
      }
    }
  }
}

std::optional<DeviceConfig> ReadDeviceConfig(const Node& root, Diagnostics& diagnostics) {
  std::optional<DeviceConfig> device = Read<DeviceConfig>(root, "runnel.yaml", diagnostics);
  if (!device) return std::nullopt;
  const Node* limits = root.Find("limits");
  bool ok = CheckBrokers(*device, root.Find("brokers"), diagnostics);
  ok = CheckLimits(device->limits, limits, root.position, diagnostics) && ok;
  ok = CheckPaths(*device, root, diagnostics) && ok;
  if (!ok) device.reset();
  return device;
}

}  // namespace runnel
