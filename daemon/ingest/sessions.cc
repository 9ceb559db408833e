#include "daemon/ingest/sessions.h"

#include <algorithm>

namespace runnel {
namespace {

bool SameGroup(const TopicFilter& a, const TopicFilter& b) {
  return a.share_group() == b.share_group();
}

// A session, and the filters of its pipelines, which may ride on wider ones.
struct Draft {
  PlannedSession session;
  std::vector<TopicFilter> filters;
};

bool FitTogether(const TopicFilter& a, const TopicFilter& b) {
  return !Overlaps(a, b) || (SameGroup(a, b) && (Covers(a, b) || Covers(b, a)));
}

// Where `filter` can ride on a subscription or become one; false where it overlaps in part with
// what is there. Those that ride count: when the wider one goes they stay together.
bool PutInto(Draft& draft, const WantedFilter& wanted) {
  const TopicFilter& filter = wanted.filter;
  const auto fits = [&](const TopicFilter& there) { return FitTogether(there, filter); };
  if (!std::all_of(draft.filters.begin(), draft.filters.end(), fits)) return false;
  draft.filters.push_back(filter);
  draft.session.pipelines.push_back(wanted.pipeline);
  PlannedSubscription merged{filter, wanted.qos};
  for (PlannedSubscription& there : draft.session.subscriptions) {
    if (!Overlaps(there.filter, filter)) continue;
    if (Covers(there.filter, filter)) {
      there.qos = std::max(there.qos, wanted.qos);
      return true;
    }
    merged.qos = std::max(merged.qos, there.qos);
  }
  std::erase_if(draft.session.subscriptions,
                [&](const PlannedSubscription& there) { return Overlaps(there.filter, filter); });
  draft.session.subscriptions.push_back(std::move(merged));
  return true;
}

// How near what a session has is to a filter.
enum class Nearness { kSame, kCovers, kAny };

bool IsNear(const std::vector<TopicFilter>& known, const TopicFilter& filter, Nearness nearness) {
  if (nearness == Nearness::kAny) return true;
  return std::any_of(known.begin(), known.end(), [&](const TopicFilter& one) {
    if (nearness == Nearness::kSame) return one.wire() == filter.wire();
    return SameGroup(one, filter) && Covers(one, filter);
  });
}

}  // namespace

std::vector<PlannedSession> PlanSessions(const std::vector<WantedFilter>& wanted,
                                         const std::vector<std::vector<TopicFilter>>& known) {
  std::vector<Draft> drafts(known.size());
  std::vector<bool> placed(wanted.size(), false);
  const auto place = [&](const WantedFilter& each, Nearness nearness) {
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (IsNear(known[i], each.filter, nearness) && PutInto(drafts[i], each)) return true;
    }
    return false;
  };
  for (const Nearness nearness : {Nearness::kSame, Nearness::kCovers, Nearness::kAny}) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!placed[i]) placed[i] = place(wanted[i], nearness);
    }
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    for (std::size_t k = known.size(); !placed[i]; ++k) {
      if (k == drafts.size()) drafts.emplace_back();
      placed[i] = PutInto(drafts[k], wanted[i]);
    }
  }
  std::vector<PlannedSession> sessions;
  for (Draft& draft : drafts) {
    std::sort(draft.session.pipelines.begin(), draft.session.pipelines.end());
    sessions.push_back(std::move(draft.session));
  }
  return sessions;
}

}  // namespace runnel
