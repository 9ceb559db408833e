#include "daemon/ingest/sessions.h"

#include <algorithm>

namespace runnel {
namespace {

bool SameGroup(const TopicFilter& a, const TopicFilter& b) {
  return a.share_group() == b.share_group();
}

// Where `filter` can ride on a subscription or become one; false where it overlaps
// in part with what is there.
bool PutInto(PlannedSession& session, const WantedFilter& wanted) {
  const TopicFilter& filter = wanted.filter;
  PlannedSubscription merged{filter, wanted.qos};
  for (PlannedSubscription& there : session.subscriptions) {
    if (!Overlaps(there.filter, filter)) continue;
    const bool covers = Covers(there.filter, filter);
    if (!SameGroup(there.filter, filter) || (!covers && !Covers(filter, there.filter))) {
      return false;
    }
    if (covers) {
      there.qos = std::max(there.qos, wanted.qos);
      session.pipelines.push_back(wanted.pipeline);
      return true;
    }
    merged.qos = std::max(merged.qos, there.qos);
  }
  std::erase_if(session.subscriptions,
                [&](const PlannedSubscription& there) { return Overlaps(there.filter, filter); });
  session.subscriptions.push_back(std::move(merged));
  session.pipelines.push_back(wanted.pipeline);
  return true;
}

}  // namespace

std::vector<PlannedSession> PlanSessions(const std::vector<WantedFilter>& wanted) {
  std::vector<PlannedSession> sessions;
  for (const WantedFilter& each : wanted) {
    const bool placed = std::any_of(sessions.begin(), sessions.end(), [&](PlannedSession& session) {
      return PutInto(session, each);
    });
    if (!placed) {
      sessions.emplace_back();
      PutInto(sessions.back(), each);
    }
  }
  for (PlannedSession& session : sessions) {
    std::sort(session.pipelines.begin(), session.pipelines.end());
  }
  return sessions;
}

}  // namespace runnel
