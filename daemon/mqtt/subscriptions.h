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
  // MQTT 5, 1 to 268,435,455: comes with each message that matches; 0: none.
  std::uint32_t identifier = 0;

  friend bool operator==(const MqttSubscription&, const MqttSubscription&) = default;
};

// Gives each subscription an identifier that follows from its filter, so that messages
// which the broker kept for an earlier process carry one that still means the same. Two
// filters with the same hash (2^-28) are told apart in the order of the filters.
void AssignIdentifiers(std::vector<MqttSubscription>& subscriptions);

struct KnownSubscription {
  MqttSubscription subscription;
  bool certain = false;  // the broker granted it in this session

  friend bool operator==(const KnownSubscription&, const KnownSubscription&) = default;
};

std::string EncodeSubscriptions(const std::vector<KnownSubscription>& known);
Result<std::vector<KnownSubscription>> DecodeSubscriptions(std::string_view bytes);

struct SubscriptionPlan {
  std::vector<std::string> unsubscribe;
  std::vector<MqttSubscription> subscribe;
  // What the session may have from now on, until the answers are there.
  std::vector<KnownSubscription> known;
};

// `known`: what the session may have; empty when the broker has lost it. MQTT 5 subscribes
// to everything again: that brings no retained messages a second time.
SubscriptionPlan PlanSubscriptions(MqttVersion version, const std::vector<MqttSubscription>& wanted,
                                   const std::vector<KnownSubscription>& known);

}  // namespace runnel
