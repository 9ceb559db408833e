#include "daemon/mqtt/subscriptions.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <span>

#include "pipelines/base/bytes.h"
#include "pipelines/base/crc32c.h"
#include "pipelines/base/hash.h"

namespace runnel {
namespace {

constexpr std::string_view kMagic = "runnel-subscriptions-1\n";
constexpr std::uint32_t kIdentifiers = 268'435'455;

Error Damaged(std::string_view what) {
  return Error{ErrorKind::kGiveUp, "the list of subscriptions is damaged: " + std::string(what)};
}

const KnownSubscription* Find(const std::vector<KnownSubscription>& known,
                              std::string_view filter) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const KnownSubscription& one) {
    return one.subscription.filter == filter;
  });
  return found == known.end() ? nullptr : &*found;
}

}  // namespace

void AssignIdentifiers(std::vector<MqttSubscription>& subscriptions) {
  std::vector<std::size_t> order(subscriptions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return subscriptions[a].filter < subscriptions[b].filter;
  });
  std::set<std::uint32_t> taken;
  for (const std::size_t i : order) {
    auto identifier = static_cast<std::uint32_t>(Hash(subscriptions[i].filter) % kIdentifiers);
    while (!taken.insert(identifier).second) identifier = (identifier + 1) % kIdentifiers;
    subscriptions[i].identifier = identifier + 1;
  }
}

std::string EncodeSubscriptions(const std::vector<KnownSubscription>& known) {
  ByteWriter writer;
  writer.Raw(kMagic);
  writer.Varint(known.size());
  for (const KnownSubscription& one : known) {
    writer.U8(one.certain ? 1 : 0);
    writer.U8(static_cast<std::uint8_t>(one.subscription.qos));
    writer.U8(static_cast<std::uint8_t>(one.subscription.retained));
    writer.U32(one.subscription.identifier);
    writer.String(one.subscription.filter);
  }
  writer.U32(Crc32c(std::as_bytes(std::span(writer.bytes()))));
  return writer.Take();
}

Result<std::vector<KnownSubscription>> DecodeSubscriptions(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + 4) {
    return Damaged("it does not begin as expected");
  }
  ByteReader checksum(bytes.substr(bytes.size() - 4));
  bytes.remove_suffix(4);
  if (checksum.U32() != Crc32c(std::as_bytes(std::span(bytes))))
    return Damaged("the checksum does not match");
  ByteReader reader(bytes.substr(kMagic.size()));
  const std::uint64_t count = reader.Varint();
  std::vector<KnownSubscription> known;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    KnownSubscription one;
    one.certain = reader.U8() == 1;
    one.subscription.qos = reader.U8();
    one.subscription.retained =
        reader.U8() == 0 ? RetainedMessages::kOncePerSession : RetainedMessages::kNever;
    one.subscription.identifier = reader.U32();
    one.subscription.filter = reader.String();
    known.push_back(std::move(one));
  }
  if (!reader.ok() || !reader.AtEnd()) return Damaged("its length does not match");
  return known;
}

SubscriptionPlan PlanSubscriptions(MqttVersion version, const std::vector<MqttSubscription>& wanted,
                                   const std::vector<KnownSubscription>& known) {
  SubscriptionPlan plan;
  for (const KnownSubscription& one : known) {
    const bool still = std::any_of(wanted.begin(), wanted.end(), [&](const MqttSubscription& want) {
      return want.filter == one.subscription.filter;
    });
    if (still) continue;
    plan.unsubscribe.push_back(one.subscription.filter);
    plan.known.push_back({one.subscription, /*certain=*/false});
  }
  for (const MqttSubscription& want : wanted) {
    const KnownSubscription* one = Find(known, want.filter);
    const bool has =
        one != nullptr && one->certain && one->subscription.qos == want.qos &&
        (version == MqttVersion::k311 || one->subscription.identifier == want.identifier);
    // In 3.1.1 a SUBSCRIBE would bring all retained messages again.
    if (!has || version == MqttVersion::k5) plan.subscribe.push_back(want);
    plan.known.push_back({want, has});
  }
  return plan;
}

}  // namespace runnel
