// PlanSessions: which MQTT sessions the pipelines of one broker need.
//
// A broker may send one copy of a message for each overlapping subscription of a
// session, or just one: they differ, and so do the versions of MQTT. So no session
// ever has two subscriptions that overlap: a filter that another one covers rides on
// it and is matched here, and filters that overlap only in part go to sessions of
// their own, also where a third one covers both. Then every session sees every message
// exactly once.
//
// What waits at the broker comes over the session that wanted it when it was published. So a
// filter stays in the session that has it, whatever pipelines come and go beside it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ingest/topic_filter.h"
#include "pipelines/base/result.h"

namespace runnel {

struct WantedFilter {
  std::size_t pipeline = 0;
  TopicFilter filter;
  int qos = 1;
  std::string name = {};  // of the pipeline
};

// Which session a pipeline's messages came over, whether its filter is a subscription or rides on
// a wider one.
struct FilterPlace {
  std::string pipeline;
  std::string filter;  // as sent to the broker
  std::uint32_t session = 0;

  friend bool operator==(const FilterPlace&, const FilterPlace&) = default;
};
// The file that says so to the next start.
std::string EncodePlaces(const std::vector<FilterPlace>& places);
Result<std::vector<FilterPlace>> DecodePlaces(std::string_view bytes);

// What a session may have at the broker, or had for a pipeline.
struct KnownFilter {
  TopicFilter filter;
  std::string pipeline = {};  // empty: a subscription
};

struct PlannedSubscription {
  TopicFilter filter;
  int qos = 1;  // the highest that one of its pipelines wants
};

struct PlannedSession {
  std::vector<PlannedSubscription> subscriptions;
  std::vector<std::size_t> pipelines;  // whose messages come over it, ascending
};

// Session by session, by their numbers; without pipelines where one is not needed any more.
// `known`: of each, from earlier on. Deterministic; the order of `wanted`
// decides between equals.
std::vector<PlannedSession> PlanSessions(const std::vector<WantedFilter>& wanted,
                                         const std::vector<std::vector<KnownFilter>>& known);

}  // namespace runnel
