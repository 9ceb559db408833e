#include "daemon/journal/redelivery.h"

#include "pipelines/base/scan.h"

namespace runnel {
namespace {

constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
constexpr std::size_t kStep = 16;

// The bytes into `state`, 16 at a time; the last 16 may be some of those before them.
inline std::uint64_t Fold(std::string_view bytes, std::uint64_t state) {
  state ^= bytes.size() * kOdd;
  if (bytes.size() < kStep) return Hash(bytes, state);
  const char* const last = bytes.data() + bytes.size() - kStep;
  for (const char* at = bytes.data(); at < last; at += kStep) {
    state = Mix(scan::Load8(at) ^ state, scan::Load8(at + 8) ^ kOdd);
  }
  return Mix(scan::Load8(last) ^ state, scan::Load8(last + 8) ^ kOdd);
}

}  // namespace

Redelivery::Redelivery(std::span<RedeliveryEntry> entries, std::uint64_t& next, std::uint64_t head)
    : entries_(entries), next_(&next) {
  if (entries_.empty()) return;
  // The last one, or the next one if it was written and not counted. Whatever is appended
  // from now on would make them look as if their records were there.
  for (const std::uint64_t number : {next, next - 1}) {
    RedeliveryEntry& entry = EntryOf(number);
    if (entry.position >= head) entry.packet_id = 0;
  }
}

void Redelivery::SessionBegins(std::uint16_t session, SessionState state, std::uint64_t head) {
  if (state == SessionState::kPresent) {
    repeatable_[session] = {0, head};
    return;
  }
  repeatable_.erase(session);
  for (RedeliveryEntry& entry : entries_) {
    if (entry.session == session) entry.packet_id = 0;
  }
}

bool Redelivery::IsRepeat(std::uint16_t session, std::uint16_t packet_id, std::uint32_t digest) {
  const auto found = repeatable_.find(session);
  if (found == repeatable_.end()) return false;
  Span& span = found->second;
  for (RedeliveryEntry& entry : entries_) {
    if (entry.packet_id != packet_id || entry.session != session || entry.digest != digest)
      continue;
    if (entry.position < span.from || entry.position >= span.until) continue;
    span.from = entry.position + 1;
    return true;
  }
  return false;
}

void Redelivery::Note(std::uint16_t session, std::uint16_t packet_id, std::uint32_t digest,
                      std::uint64_t position) {
  if (entries_.empty()) return;
  RedeliveryEntry& entry = EntryOf(*next_);
  entry.packet_id = 0;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  entry.position = position;
  entry.digest = digest;
  entry.session = session;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  entry.packet_id = packet_id;
  ++*next_;
}

std::uint16_t SessionNumber(std::string_view client_id) {
  return static_cast<std::uint16_t>(Hash(client_id));
}

std::uint32_t DigestOf(std::string_view topic, std::string_view payload) {
  const std::uint64_t folded = Fold(payload, Fold(topic, kOdd));
  return static_cast<std::uint32_t>(folded ^ folded >> 32);
}

}  // namespace runnel
