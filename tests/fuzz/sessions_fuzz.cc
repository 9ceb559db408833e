// Any bytes as the files that say what is subscribed to in which session, and what a start plans
// from what they say.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/ingest/sessions.h"
#include "daemon/mqtt/subscriptions.h"
#include "daemon/posix/sealed.h"

namespace {

// With the first line and the checksum of a file that says nothing.
std::string Sealed(std::string_view empty, std::string_view body) {
  runnel::ByteWriter writer = runnel::BeginSealed(empty.substr(0, empty.find('\n') + 1));
  writer.Raw(body);
  return runnel::Seal(std::move(writer));
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void TakeSubscriptions(std::string_view bytes) {
  using runnel::KnownSubscription;
  const auto known = runnel::DecodeSubscriptions(bytes);
  if (!known.ok()) return;
  const auto again = runnel::DecodeSubscriptions(runnel::EncodeSubscriptions(known.value()));
  Require(again.ok() && again.value() == known.value());
  const std::vector<runnel::MqttSubscription> wanted = {{"a/+", 1}, {"b/#", 0}};
  for (const auto version : {runnel::MqttVersion::k311, runnel::MqttVersion::k5}) {
    const runnel::SubscriptionPlan plan =
        runnel::PlanSubscriptions(version, runnel::Identifiers::kAvailable, wanted, known.value());
    Require(plan.known.size() >= wanted.size());
    // What the plan leaves is what the next start reads.
    const auto left = runnel::DecodeSubscriptions(runnel::EncodeSubscriptions(plan.known));
    Require(left.ok() && left.value() == plan.known);
  }
}

void TakePlaces(std::string_view bytes) {
  const auto places = runnel::DecodePlaces(bytes);
  if (!places.ok()) return;
  const auto again = runnel::DecodePlaces(runnel::EncodePlaces(places.value()));
  Require(again.ok() && again.value() == places.value());
  std::vector<std::vector<runnel::KnownFilter>> known(3);
  for (const runnel::FilterPlace& place : places.value()) {
    auto filter = runnel::TopicFilter::Parse(place.filter);
    if (!filter.ok() || place.session >= known.size()) continue;
    known[place.session].push_back({std::move(filter).value(), place.pipeline});
  }
  std::vector<runnel::WantedFilter> wanted;
  for (const char* text : {"a/+", "a/b", "+/b", "c/#"}) {
    auto filter = runnel::TopicFilter::Parse(text);
    wanted.push_back({wanted.size(), std::move(filter).value(), 1, text});
  }
  const auto sessions = runnel::PlanSessions(wanted, known);
  std::size_t pipelines = 0;
  for (const runnel::PlannedSession& session : sessions) pipelines += session.pipelines.size();
  Require(sessions.size() >= known.size() && pipelines == wanted.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  TakeSubscriptions(bytes);
  TakeSubscriptions(Sealed(runnel::EncodeSubscriptions({}), bytes));
  TakePlaces(bytes);
  TakePlaces(Sealed(runnel::EncodePlaces({}), bytes));
  return 0;
}
