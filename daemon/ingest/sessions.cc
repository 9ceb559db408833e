#include "daemon/ingest/sessions.h"

#include <algorithm>

#include "daemon/posix/sealed.h"

namespace runnel {
namespace {

constexpr std::string_view kMagic = "runnel-sessions-1\n";
constexpr std::string_view kName = "the list of sessions";

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

// How near what a session has is to what a pipeline wants, the nearest first.
enum class Nearness { kOwn, kSame, kPipeline, kCovers, kAny };
constexpr Nearness kAllNearness[] = {Nearness::kOwn, Nearness::kSame, Nearness::kPipeline,
                                     Nearness::kCovers, Nearness::kAny};

bool IsNear(const KnownFilter& known, const WantedFilter& wanted, Nearness nearness) {
  const bool same = known.filter.wire() == wanted.filter.wire();
  const bool own = known.pipeline == wanted.name;
  switch (nearness) {
    case Nearness::kOwn:
      return same && own;
    case Nearness::kSame:
      return same;
    case Nearness::kPipeline:
      return own;
    case Nearness::kCovers:
      return SameGroup(known.filter, wanted.filter) && Covers(known.filter, wanted.filter);
    case Nearness::kAny:
      return true;
  }
  return true;
}

bool IsNear(const std::vector<KnownFilter>& known, const WantedFilter& wanted, Nearness nearness) {
  return nearness == Nearness::kAny ||
         std::any_of(known.begin(), known.end(),
                     [&](const KnownFilter& one) { return IsNear(one, wanted, nearness); });
}

}  // namespace

std::string EncodePlaces(const std::vector<FilterPlace>& places) {
  ByteWriter writer = BeginSealed(kMagic);
  writer.Varint(places.size());
  for (const FilterPlace& one : places) {
    writer.U32(one.session);
    writer.String(one.pipeline);
    writer.String(one.filter);
  }
  return Seal(std::move(writer));
}

Result<std::vector<FilterPlace>> DecodePlaces(std::string_view bytes) {
  const Result<std::string_view> body = Unseal(kMagic, bytes, kName);
  if (!body.ok()) return body.error();
  ByteReader reader(body.value());
  const std::uint64_t count = reader.Varint();
  std::vector<FilterPlace> places;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    FilterPlace one;
    one.session = reader.U32();
    one.pipeline = reader.String();
    one.filter = reader.String();
    places.push_back(std::move(one));
  }
  if (!reader.ok() || !reader.AtEnd()) return DamagedSeal(kName, "its length does not match");
  return places;
}

std::vector<PlannedSession> PlanSessions(const std::vector<WantedFilter>& wanted,
                                         const std::vector<std::vector<KnownFilter>>& known) {
  std::vector<Draft> drafts(known.size());
  std::vector<bool> placed(wanted.size(), false);
  // Where it is near, or, where that does not matter, in any session and at last in a new one.
  const auto place = [&](const WantedFilter& each, Nearness nearness) {
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const bool near =
          nearness == Nearness::kAny || (i < known.size() && IsNear(known[i], each, nearness));
      if (near && PutInto(drafts[i], each)) return true;
    }
    return nearness == Nearness::kAny && PutInto(drafts.emplace_back(), each);
  };
  for (const Nearness nearness : kAllNearness) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!placed[i]) placed[i] = place(wanted[i], nearness);
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
