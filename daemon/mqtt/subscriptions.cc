#include "daemon/mqtt/subscriptions.h"

#include <algorithm>
#include <set>

#include "daemon/mqtt/copies.h"
#include "daemon/posix/files.h"
#include "daemon/posix/sealed.h"

namespace runnel {
namespace {

constexpr std::string_view kMagic = "runnel-subscriptions-1\n";
constexpr std::string_view kName = "the list of subscriptions";
constexpr std::uint32_t kIdentifierMax = 268'435'455;  // as MQTT has it

const KnownSubscription* Find(const std::vector<KnownSubscription>& known,
                              std::string_view filter) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const KnownSubscription& one) {
    return one.subscription.filter == filter;
  });
  return found == known.end() ? nullptr : &*found;
}

// One that no message comes with yet; 0: there is none left.
std::uint32_t FreshGeneration(const std::vector<KnownSubscription>& known) {
  std::set<std::uint32_t> used{0};
  for (const KnownSubscription& one : known) used.insert(ChangeMark::Of(one.identifier).generation);
  std::uint32_t fresh = *used.rbegin() + 1;
  if (fresh == ChangeMark::kGenerations) {
    fresh = 1;
    while (used.contains(fresh)) ++fresh;
  }
  return fresh % ChangeMark::kGenerations;
}

}  // namespace

std::string EncodeSubscriptions(const std::vector<KnownSubscription>& known) {
  ByteWriter writer = BeginSealed(kMagic);
  writer.Varint(known.size());
  for (const KnownSubscription& one : known) {
    writer.U8(one.certain ? 1 : 0);
    writer.U8(static_cast<std::uint8_t>(one.subscription.qos));
    writer.U8(static_cast<std::uint8_t>(one.subscription.retained));
    writer.U32(one.identifier);
    writer.String(one.subscription.filter);
  }
  return Seal(std::move(writer));
}

Result<std::vector<KnownSubscription>> DecodeSubscriptions(std::string_view bytes) {
  const Result<std::string_view> body = Unseal(kMagic, bytes, kName);
  if (!body.ok()) return body.error();
  ByteReader reader(body.value());
  const std::uint64_t count = reader.Varint();
  std::vector<KnownSubscription> known;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    KnownSubscription one;
    one.certain = reader.U8() == 1;
    one.subscription.qos = reader.U8();
    one.subscription.retained =
        reader.U8() == 0 ? RetainedMessages::kOncePerSession : RetainedMessages::kNever;
    one.identifier = reader.U32();
    one.subscription.filter = reader.String();
    if (one.identifier > kIdentifierMax) return DamagedSeal(kName, "an identifier is too large");
    if (one.subscription.qos > 2) return DamagedSeal(kName, "a QoS is too large");
    known.push_back(std::move(one));
  }
  if (!reader.ok() || !reader.AtEnd()) return DamagedSeal(kName, "its length does not match");
  return known;
}

Result<std::vector<KnownSubscription>> ReadSubscriptions(const std::string& path) {
  constexpr std::size_t kFileMax = 64 << 20;
  Result<std::string> bytes = ReadFile(path, kFileMax);
  if (!bytes.ok()) return bytes.error();
  Result<std::vector<KnownSubscription>> known = DecodeSubscriptions(bytes.value());
  if (!known.ok()) return std::move(known.error()).In("`" + path + "`");
  return known;
}

bool HaveCopies(const std::vector<KnownSubscription>& known) {
  return std::any_of(known.begin(), known.end(),
                     [](const KnownSubscription& one) { return one.identifier != 0; });
}

SubscriptionPlan PlanSubscriptions(MqttVersion version, Identifiers identifiers,
                                   const std::vector<MqttSubscription>& wanted,
                                   const std::vector<KnownSubscription>& known) {
  SubscriptionPlan plan;
  const auto is_wanted = [&](const KnownSubscription& one) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const MqttSubscription& want) {
      return want.filter == one.subscription.filter;
    });
  };
  const auto is_new = [&](const MqttSubscription& want) {
    const KnownSubscription* one = Find(known, want.filter);
    return one == nullptr || (!one->certain && one->identifier == 0);  // perhaps
  };
  const bool changes = !std::all_of(known.begin(), known.end(), is_wanted) &&
                       std::any_of(wanted.begin(), wanted.end(), is_new);
  ChangeMark mark;
  if (changes && identifiers == Identifiers::kAvailable) mark.generation = FreshGeneration(known);
  const bool told = mark.generation != 0;
  for (const MqttSubscription& want : wanted) {
    const KnownSubscription* one = Find(known, want.filter);
    const bool has = one != nullptr && one->certain && one->subscription.qos == want.qos;
    // In 3.1.1 a SUBSCRIBE would bring all retained messages again.
    if (!has || version == MqttVersion::k5) {
      plan.subscribe.push_back({want, mark.identifier(), has});
    }
    plan.known.push_back({want, told || one == nullptr ? mark.identifier() : one->identifier, has});
  }
  for (const KnownSubscription& one : known) {
    if (is_wanted(one)) continue;
    plan.unsubscribe.push_back(one.subscription.filter);
    plan.known.push_back({one.subscription, one.identifier, /*certain=*/false});
    if (!told) continue;
    if (mark.place + 1 < ChangeMark::kPlaces) ++mark.place;
    plan.known.back().identifier = mark.identifier();
    plan.subscribe.push_back(plan.known.back());
    plan.subscribe.back().subscription.retained = RetainedMessages::kNever;
  }
  plan.has_copies = HaveCopies(plan.known);
  return plan;
}

}  // namespace runnel
