// The options of sources and sinks, as far as a plan knows them; the daemon does the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/plan/plan.h"
#include "pipelines/spec/schema.h"

namespace runnel {

// `source:` and `sink:` are maps with one member, the kind: `mqtt: { … }`.
// nullopt after an error.
std::optional<MqttSource> ReadSource(const Node& node, const Position& at,
                                     Diagnostics& diagnostics);
std::optional<MqttSink> ReadSink(const Node& node, const Position& at, std::string_view what,
                                 Diagnostics& diagnostics);

// The names in braces of a topic filter, in order, and the levels of a topic that they
// stand for: `sensors/{device}/climate` has `device` at level 1.
struct Capture {
  std::string name;
  std::uint32_t level = 0;
  // Where that level begins, in bytes, while all levels before it are literal.
  std::optional<std::size_t> at;
};
std::vector<Capture> CapturesOf(std::string_view filter);
// What the source of a pipeline file subscribes to; empty where it does not say.
std::string SourceTopicOf(const Node& root);
// Whether a message of this topic comes by the filter, which is a right one (MQTT 5, 4.7). For what
// is looked at once; the daemon's own way is topic_filter.h.
bool TopicMatches(std::string_view filter, std::string_view topic);

}  // namespace runnel
