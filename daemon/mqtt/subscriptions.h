// Subscriptions: what a session at the broker has, and what it should have.
//
// A persistent session keeps filters that nobody may want any more, and the broker
// cannot be asked for them. So they are remembered in a small file: first as possible,
// before SUBSCRIBE is sent, then as certain. Pure but for reading and writing that file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/mqtt/options.h"
#include "pipelines/base/result.h"

namespace runnel {

enum class RetainedMessages {
  kOncePerSession,  // at the first subscription; in MQTT 3.1.1 also when the file was lost
  kNever,           // MQTT 5; in 3.1.1 they come all the same, with `retained` set
};

struct MqttSubscription {
  std::string filter;  // as sent to the broker (TopicFilter::wire())
  int qos = 1;
  RetainedMessages retained = RetainedMessages::kOncePerSession;

  friend bool operator==(const MqttSubscription&, const MqttSubscription&) = default;
};

struct KnownSubscription {
  MqttSubscription subscription;
  // MQTT 5: what messages have or had that matched it when filters changed last (ChangeMark); 0:
  // they never did. What waits at the broker may come with it long after that.
  std::uint32_t identifier = 0;
  bool certain = false;  // the broker granted it in this session

  friend bool operator==(const KnownSubscription&, const KnownSubscription&) = default;
};

std::string EncodeSubscriptions(const std::vector<KnownSubscription>& known);
Result<std::vector<KnownSubscription>> DecodeSubscriptions(std::string_view bytes);
// What the file says.
Result<std::vector<KnownSubscription>> ReadSubscriptions(const std::string& path);

struct SubscriptionPlan {
  // Both in this order, and first: a message that an old filter and a new one want finds one of
  // them at any time.
  std::vector<KnownSubscription> subscribe;
  std::vector<std::string> unsubscribe;
  // What the session may have from now on, until the answers are there.
  std::vector<KnownSubscription> known;
  // A message may come more than once, with identifiers that tell (Copies).
  bool has_copies = false;
};

enum class Identifiers { kNone, kAvailable };  // MQTT 5, where the broker has them

// `known`: what the session may have; empty when the broker has lost it. MQTT 5 subscribes
// to everything again: that brings no retained messages a second time. Where filters are given up
// for new ones they get identifiers, and all that are wanted one: so copies can be told. The next
// connection does without, for they cost something for each message.
SubscriptionPlan PlanSubscriptions(MqttVersion version, Identifiers identifiers,
                                   const std::vector<MqttSubscription>& wanted,
                                   const std::vector<KnownSubscription>& known);
// Whether a message may come more than once because of what the session may have.
bool HaveCopies(const std::vector<KnownSubscription>& known);

}  // namespace runnel
