#include "pipelines/plan/endpoints.h"

namespace runnel {
namespace {

struct SourceOptions {
  std::string broker;
  std::string topic;
  std::int64_t qos = 1;
  std::optional<Overload> overload;
  RetainedPolicy retained = RetainedPolicy::kOnce;
  RedeliveryPolicy redelivery = RedeliveryPolicy::kDrop;

  static void Describe(Schema<SourceOptions>& schema) {
    schema
        .Required("topic", &SourceOptions::topic,
                  "Topic filter; `{name}` captures a level, `+` and `#` work too.")
        .NotEmpty()
        .Example("sensors/{device}/climate");
    schema.Optional("broker", &SourceOptions::broker, "Name in runnel.yaml; the first without it.");
    schema.Optional("qos", &SourceOptions::qos, "Quality of service of the subscription.")
        .Between(0, 2);
    schema
        .Optional("overload", &SourceOptions::overload,
                  "Where a journal is full; without it QoS 0 drops and QoS 1 and 2 wait.")
        .OneOf({{"block", Overload::kBlock}, {"drop_newest", Overload::kDropNewest}});
    schema.Optional("retained", &SourceOptions::retained, "What happens to retained messages.")
        .OneOf({{"once", RetainedPolicy::kOnce}, {"ignore", RetainedPolicy::kIgnore}});
    schema
        .Optional("redelivery", &SourceOptions::redelivery,
                  "What happens to a message that the broker sends again after a kill.")
        .OneOf({{"drop", RedeliveryPolicy::kDrop}, {"keep", RedeliveryPolicy::kKeep}});
  }
};

struct SinkOptions {
  std::string broker;
  std::string topic;
  std::int64_t qos = 1;
  bool retain = false;

  static void Describe(Schema<SinkOptions>& schema) {
    schema.Required("topic", &SinkOptions::topic, "Topic; `{name}` is a field of the result.")
        .NotEmpty()
        .Example("site/a/climate/{device}");
    schema.Optional("broker", &SinkOptions::broker, "Name in runnel.yaml; the first without it.");
    schema.Optional("qos", &SinkOptions::qos, "Quality of service.").Between(0, 2);
    schema.Optional("retain", &SinkOptions::retain, "Whether the broker keeps the last one.");
  }
};

template <typename Inner>
struct OneKind {
  std::optional<Inner> mqtt;
  static void Describe(Schema<OneKind>& schema) {
    schema.Optional("mqtt", &OneKind::mqtt, "Over MQTT.");
  }
};

template <typename Inner>
std::optional<Inner> ReadKind(const Node& node, const Position& at, std::string_view what,
                              Diagnostics& diagnostics) {
  const std::optional<OneKind<Inner>> kind = Read<OneKind<Inner>>(node, what, diagnostics, &at);
  if (!kind.has_value()) return std::nullopt;
  if (!kind->mqtt.has_value()) {
    diagnostics.Error(at, "`" + std::string(what) + "` names no kind, expected `mqtt`");
  }
  return kind->mqtt;
}

// Of a shared subscription the filter alone.
std::string_view WithoutGroup(std::string_view filter) {
  constexpr std::string_view kShared = "$share/";
  if (!filter.starts_with(kShared)) return filter;
  const std::size_t group_end = filter.find('/', kShared.size());
  return group_end == std::string_view::npos ? "" : filter.substr(group_end + 1);
}

}  // namespace

std::optional<MqttSource> ReadSource(const Node& node, const Position& at,
                                     Diagnostics& diagnostics) {
  std::optional<SourceOptions> options = ReadKind<SourceOptions>(node, at, "source", diagnostics);
  if (!options.has_value()) return std::nullopt;
  MqttSource source;
  source.broker = std::move(options->broker);
  source.topic = std::move(options->topic);
  source.qos = options->qos;
  source.overload =
      options->overload.value_or(source.qos == 0 ? Overload::kDropNewest : Overload::kBlock);
  source.retained = options->retained;
  source.redelivery = options->redelivery;
  return source;
}

std::optional<MqttSink> ReadSink(const Node& node, const Position& at, std::string_view what,
                                 Diagnostics& diagnostics) {
  std::optional<SinkOptions> options = ReadKind<SinkOptions>(node, at, what, diagnostics);
  if (!options.has_value()) return std::nullopt;
  return MqttSink{std::move(options->broker), std::move(options->topic), options->qos,
                  options->retain};
}

std::vector<OptionDoc> DescribeMqttSource() { return Describe<SourceOptions>(); }
std::vector<OptionDoc> DescribeMqttSink() { return Describe<SinkOptions>(); }

std::string SourceTopicOf(const Node& root) {
  const Node* at = &root;
  for (const char* key : {"source", "mqtt", "topic"}) {
    at = at->Find(key);
    if (at == nullptr) return {};
  }
  return at->text;
}

bool TopicMatches(std::string_view filter, std::string_view topic) {
  filter = WithoutGroup(filter);
  for (bool first = true;; first = false) {
    const std::size_t filter_end = filter.find('/');
    const std::size_t topic_end = topic.find('/');
    const std::string_view wanted = filter.substr(0, filter_end);
    const std::string_view level = topic.substr(0, topic_end);
    // What a server keeps for itself no wildcard at the beginning matches.
    const bool is_reserved = first && level.starts_with('$');
    if (wanted == "#") return !is_reserved;
    const bool is_any = wanted == "+" || (wanted.starts_with('{') && wanted.ends_with('}'));
    if (is_any ? is_reserved : wanted != level) return false;
    if (topic_end == std::string_view::npos) {
      // `a/#` is the parent too.
      return filter_end == std::string_view::npos || filter.substr(filter_end) == "/#";
    }
    if (filter_end == std::string_view::npos) return false;
    filter.remove_prefix(filter_end + 1);
    topic.remove_prefix(topic_end + 1);
  }
}

std::vector<Capture> CapturesOf(std::string_view filter) {
  filter = WithoutGroup(filter);
  std::vector<Capture> captures;
  std::optional<std::size_t> at = 0;
  for (std::uint32_t level = 0;; ++level) {
    const std::size_t end = filter.find('/');
    const std::string_view text = filter.substr(0, end);
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
      captures.push_back({std::string(text.substr(1, text.size() - 2)), level, at});
      at.reset();
    }
    if (text == "+") at.reset();
    if (at.has_value()) *at += text.size() + 1;
    if (end == std::string_view::npos) return captures;
    filter.remove_prefix(end + 1);
  }
}

}  // namespace runnel
