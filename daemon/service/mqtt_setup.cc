#include "daemon/service/mqtt_setup.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "daemon/mqtt/subscriptions.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::uint64_t kWorkerMemory = 16 << 20;  // what a worker may need with its state
// MQTT 3.1.1 has no Receive Maximum. mosquitto 2.0.11 never answers what is sent above its
// `max_inflight_messages` with QoS 2; this is its default.
constexpr std::uint32_t kExactlyOnceWindow311 = 20;
constexpr std::size_t kGapsMax = 100;           // files of sessions that are missing before others
constexpr std::uint32_t kSessionsMax = 10'000;  // of a broker; a pipeline needs one at most
constexpr const char* kClientPlaceholder = "{client_id}";

std::string HostName() {
  char name[256] = "host";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string ClientId(const BrokerConfig& config, const std::string& broker, const char* purpose,
                     std::size_t number) {
  std::string id =
      config.client_id.empty() ? "runnel-" + HostName() + "-" + broker : config.client_id;
  id += purpose;
  if (number > 0) id += "-" + std::to_string(number + 1);
  return id;
}

std::chrono::seconds Seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

MqttOptions OptionsOf(const BrokerConfig& config, std::string client_id) {
  MqttOptions options;
  options.urls = {config.url};
  options.client_id = std::move(client_id);
  if (!config.username.empty()) options.user = config.username;
  if (!config.password.empty()) options.password = config.password;
  options.tls.ca = config.ca;
  options.tls.cert = config.cert;
  options.tls.key = config.key;
  options.tls.key_password = config.key_password;
  options.tls.verification = config.verify ? TlsVerification::kFull : TlsVerification::kNone;
  options.version = config.version == ProtocolVersion::k5 ? MqttVersion::k5 : MqttVersion::k311;
  options.session =
      config.session == Session::kPersistent ? MqttSession::kPersistent : MqttSession::kClean;
  options.session_expiry = Seconds(config.session_expiry);
  options.receive_maximum = static_cast<std::uint16_t>(config.receive_maximum);
  options.keep_alive = Seconds(config.keep_alive);
  options.connect_timeout = Seconds(config.connect_timeout);
  return options;
}

const std::string& BrokerName(const DeviceConfig& device, const std::string& name) {
  return name.empty() ? device.brokers.front().first : name;
}

}  // namespace

std::size_t WorkerCount(const DeviceConfig& device) {
  if (device.workers != DeviceConfig::kWorkersAuto) return static_cast<std::size_t>(device.workers);
  struct sysinfo info {};
  sysinfo(&info);
  const std::uint64_t memory = std::uint64_t{info.totalram} * info.mem_unit;
  const std::uint64_t cores = std::max(2u, std::thread::hardware_concurrency()) - 1;
  return std::max<std::uint64_t>(1, std::min(cores, memory / 4 / kWorkerMemory));
}

std::size_t HostCount(const DeviceConfig& device) {
  return std::max<std::size_t>(1, WorkerCount(device));
}

namespace {

std::string SubscriptionsFile(const DeviceConfig& device, const std::string& broker,
                              std::size_t session) {
  return device.state + "/subscriptions." + broker + "." + std::to_string(session + 1);
}

std::string PlacesName(const std::string& broker) { return "sessions." + broker; }

std::string PlacesFile(const DeviceConfig& device, const std::string& broker) {
  return device.state + "/" + PlacesName(broker);
}

bool IsKept(const DeviceConfig& device, const std::string& broker) {
  return device.FindBroker(broker)->session == Session::kPersistent;
}

// How many sessions there may be from earlier on.
std::size_t CountSessions(const DeviceConfig& device, const std::string& broker) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < count + kGapsMax; ++i) {
    if (::access(SubscriptionsFile(device, broker, i).c_str(), F_OK) == 0) count = i + 1;
  }
  return count;
}

Result<std::vector<FilterPlace>> ReadPlaces(const DeviceConfig& device, const std::string& broker) {
  constexpr std::size_t kFileMax = 64 << 20;
  const Result<std::string> bytes = ReadFile(PlacesFile(device, broker), kFileMax);
  if (!bytes.ok()) return bytes.error();
  return DecodePlaces(bytes.value());
}

// What a session may have from earlier on, and for which pipelines.
struct KnownSession {
  std::vector<KnownFilter> filters;
  bool has_subscriptions = false;
  bool has_exactly_once = false;  // a subscription of QoS 2
  // The file is damaged or missing: what the session has is known from its places alone, if at all.
  bool is_damaged = false;
  std::vector<std::string> filters_before = {};  // what it may have that no file says
};

// Whether it has a subscription, as far as its file says, that brings all that `text` wants.
bool IsCovered(const KnownSession& session, const std::string& text) {
  const Result<TopicFilter> filter = TopicFilter::Parse(text);
  if (!filter.ok()) return true;  // no broker has it
  return std::any_of(session.filters.begin(), session.filters.end(), [&](const KnownFilter& one) {
    return one.pipeline.empty() && Covers(one.filter, filter.value()) &&
           one.filter.share_group() == filter.value().share_group();
  });
}

std::vector<KnownSession> KnownSessions(const DeviceConfig& device, const std::string& broker) {
  std::vector<KnownSession> known;
  if (!IsKept(device, broker)) return known;
  known.resize(CountSessions(device, broker));
  const auto know = [&](std::size_t session, const std::string& text, std::string pipeline) {
    Result<TopicFilter> filter = TopicFilter::Parse(text);
    if (!filter.ok()) return;
    known[session].filters.push_back({std::move(filter).value(), std::move(pipeline)});
  };
  std::vector<bool> has_file(known.size(), false);  // one that can be read
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::string path = SubscriptionsFile(device, broker, i);
    if (::access(path.c_str(), F_OK) != 0) continue;
    const Result<std::vector<KnownSubscription>> subscriptions = ReadSubscriptions(path);
    known[i].is_damaged = !subscriptions.ok();
    if (!subscriptions.ok()) continue;
    has_file[i] = true;
    known[i].has_subscriptions = !subscriptions.value().empty();
    for (const KnownSubscription& one : subscriptions.value()) {
      known[i].has_exactly_once |= one.subscription.qos == 2;
      know(i, one.subscription.filter, {});
    }
  }
  const Result<std::vector<FilterPlace>> places = ReadPlaces(device, broker);
  if (!places.ok()) return known;
  for (const FilterPlace& one : places.value()) {
    if (one.session >= kSessionsMax) continue;
    if (one.session >= known.size()) known.resize(one.session + 1);
    KnownSession& session = known[one.session];
    const bool is_told = one.session < has_file.size() && has_file[one.session];
    // Whatever it has was the filter of a pipeline; one that rides on another is none of them.
    const bool rides = is_told && IsCovered(session, one.filter);
    know(one.session, one.filter, one.pipeline);
    session.is_damaged |= !is_told;
    std::vector<std::string>& before = session.filters_before;
    const bool is_there = std::find(before.begin(), before.end(), one.filter) != before.end();
    if (!rides && !is_there) before.push_back(one.filter);
  }
  return known;
}

MqttOptions SessionOptions(const DeviceConfig& device, const std::string& broker,
                           std::size_t number, const PlannedSession& session,
                           const KnownSession& known) {
  const BrokerConfig& config = *device.FindBroker(broker);
  MqttOptions options = OptionsOf(config, ClientId(config, broker, "", number));
  options.subscriptions_file = SubscriptionsFile(device, broker, number);
  // What waits came for what the session had; of one that is not needed any more, or whose file is
  // damaged, it is not known what that was.
  const bool exactly_once = session.pipelines.empty() || known.has_exactly_once ||
                            known.is_damaged ||
                            std::any_of(session.subscriptions.begin(), session.subscriptions.end(),
                                        [](const PlannedSubscription& s) { return s.qos == 2; });
  if (options.version == MqttVersion::k311 && exactly_once)
    options.inbound_store = device.runtime + "/paho";
  if (number != 0 || config.status.empty()) return options;
  MqttStatusTopic status;
  status.topic = config.status;
  const std::size_t at = status.topic.find(kClientPlaceholder);
  if (at != std::string::npos) {
    status.topic.replace(at, std::string(kClientPlaceholder).size(), options.client_id);
  }
  options.status = std::move(status);
  return options;
}

}  // namespace

std::vector<SourcePlan> PlanSources(const DeviceConfig& device, const TaskSet& tasks) {
  std::map<std::string, std::vector<WantedFilter>> wanted;
  for (const auto& [broker, config] : device.brokers) wanted[broker];
  for (std::size_t i = 0; i < tasks.pipelines().size(); ++i) {
    if (tasks.pipelines()[i].retired) continue;
    const MqttSource& source = tasks.pipelines()[i].plan->source();
    Result<TopicFilter> filter = TopicFilter::Parse(source.topic);
    if (!filter.ok()) continue;  // the plan was checked with the same parser
    wanted[BrokerName(device, source.broker)].push_back({i, std::move(filter).value(),
                                                         static_cast<int>(source.qos),
                                                         tasks.pipelines()[i].plan->name()});
  }
  std::vector<SourcePlan> plans;
  for (const auto& [broker, filters] : wanted) {
    std::vector<KnownSession> known = KnownSessions(device, broker);
    std::vector<std::vector<KnownFilter>> known_filters;
    for (KnownSession& one : known) known_filters.push_back(std::move(one.filters));
    std::vector<PlannedSession> sessions = PlanSessions(filters, known_filters);
    known.resize(sessions.size());
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      // One that is not needed any more has to give up what it has; where nobody knows what that
      // is, it begins anew. The status is the first one's.
      const bool is_needed = !sessions[i].pipelines.empty();
      MqttOptions options = SessionOptions(device, broker, i, sessions[i], known[i]);
      options.filters_before = std::move(known[i].filters_before);
      if (known[i].is_damaged && !is_needed) options.session = MqttSession::kClean;
      const bool tells = options.status.has_value() && !filters.empty();
      if (!is_needed && !known[i].has_subscriptions && !known[i].is_damaged && !tells) continue;
      plans.push_back(
          {broker, std::move(options), std::move(sessions[i]), static_cast<std::uint32_t>(i)});
    }
  }
  return plans;
}

SessionPlaces PlacesOf(const DeviceConfig& device, const TaskSet& tasks,
                       const std::vector<SourcePlan>& plans) {
  SessionPlaces places;
  for (const auto& [broker, config] : device.brokers) {
    if (IsKept(device, broker)) places[broker];
  }
  for (const SourcePlan& plan : plans) {
    const auto found = places.find(plan.broker);
    if (found == places.end()) continue;
    for (const std::size_t pipeline : plan.session.pipelines) {
      const Plan& wants = *tasks.pipelines()[pipeline].plan;
      const Result<TopicFilter> filter = TopicFilter::Parse(wants.source().topic);
      found->second.push_back({wants.name(), filter.value().wire(), plan.number});
    }
  }
  return places;
}

Status RememberSessions(const DeviceConfig& device, const std::string& broker,
                        std::vector<FilterPlace> places, Remember how) {
  if (how == Remember::kBesideOthers) {
    const Result<std::vector<FilterPlace>> before = ReadPlaces(device, broker);
    for (const FilterPlace& one : before.ok() ? before.value() : std::vector<FilterPlace>()) {
      if (std::find(places.begin(), places.end(), one) == places.end()) places.push_back(one);
    }
  }
  if (places.empty() && ::access(PlacesFile(device, broker).c_str(), F_OK) != 0) return {};
  return WriteFileIfOther(device.state, PlacesName(broker), EncodePlaces(places));
}

std::string UpstreamOf(const DeviceConfig& device, const MqttSink& sink, const Plan* now) {
  if (sink.broker.empty() || device.FindBroker(sink.broker) != nullptr) {
    return BrokerName(device, sink.broker);
  }
  if (now == nullptr) return {};
  for (const MqttSink& other : now->sinks()) {
    if (other.tag == sink.tag) return BrokerName(device, other.broker);
  }
  return {};
}

UplinkSettings MakeUplinkSettings(const DeviceConfig& device, const TaskSet& tasks) {
  UplinkSettings settings;
  std::map<std::string, std::uint32_t> numbers;
  for (const RunningPipeline& pipeline : tasks.pipelines()) {
    std::vector<UplinkSink> sinks;
    for (const MqttSink& sink : pipeline.plan->sinks()) {
      const std::string name = UpstreamOf(device, sink, tasks.PlanNow(pipeline.plan->name()));
      if (name.empty()) continue;  // rejected: see MayEnd
      const auto [found, made] =
          numbers.emplace(name, static_cast<std::uint32_t>(settings.brokers.size()));
      if (made) {
        const BrokerConfig& config = *device.FindBroker(name);
        UplinkBroker broker;
        broker.name = name;
        broker.options = OptionsOf(config, ClientId(config, name, "-uplink", 0));
        if (broker.options.session == MqttSession::kPersistent) {
          broker.options.session = MqttSession::kOwn;
        }
        broker.window = static_cast<std::uint32_t>(config.publish_window);
        settings.brokers.push_back(std::move(broker));
      }
      UplinkBroker& broker = settings.brokers[found->second];
      if (sink.qos == 2 && broker.options.version == MqttVersion::k311) {
        broker.window = std::min(broker.window, kExactlyOnceWindow311);
      }
      sinks.push_back({sink.tag, found->second, static_cast<int>(sink.qos), sink.retain});
    }
    settings.pipelines.push_back(std::move(sinks));
  }
  settings.state = device.state;
  settings.dead_letters_max = static_cast<std::uint64_t>(device.limits.dead_letters.bytes);
  return settings;
}

}  // namespace runnel
