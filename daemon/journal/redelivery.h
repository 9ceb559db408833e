// Redelivery: recognises a message that the journal holds already.
//
// A broker that has not seen our PUBACK sends the message again on the next
// connection of the session, with DUP set, the same packet identifier, the same
// bytes and in the order of the first time (MQTT 5, 4.4 and 4.6). DUP alone proves
// nothing. So each journal keeps, for more messages than may be in flight, packet
// identifier, digest and place; an entry counts only if its record became visible,
// only for connections that began after it, and once.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>

#include "daemon/journal/layout.h"
#include "pipelines/base/hash.h"

namespace runnel {

enum class SessionState {
  kPresent,  // the broker kept the session: repeats are possible
  kNew,      // the broker has forgotten: packet identifiers mean nothing any more
};

// Not synchronised; used under the journal's lock.
class Redelivery final {
 public:
  // `entries` and `next` (entries written so far) lie in the in file and outlive this.
  // A predecessor that was killed between an entry and its record has left an entry of a
  // record that is not there: `head`, the end of the records, tells which.
  Redelivery(std::span<RedeliveryEntry> entries, std::uint64_t& next, std::uint64_t head);

  void SessionBegins(std::uint16_t session, SessionState state, std::uint64_t head);
  // Whether this message is in the journal already; uses the entry up.
  bool IsRepeat(std::uint16_t session, std::uint16_t packet_id, std::uint32_t digest);
  // Notes a message that is about to be appended at `position`.
  void Note(std::uint16_t session, std::uint16_t packet_id, std::uint32_t digest,
            std::uint64_t position);

 private:
  RedeliveryEntry& EntryOf(std::uint64_t number) {
    return entries_[Remainder(number, entries_.size())];
  }

  struct Span {
    std::uint64_t from = 0;  // positions that may still be repeated
    std::uint64_t until = 0;
  };

  std::span<RedeliveryEntry> entries_;
  std::uint64_t* next_;
  std::unordered_map<std::uint16_t, Span> repeatable_;  // by session, of this connection
};

// The number of a session in the entries, from its client id.
std::uint16_t SessionNumber(std::string_view client_id);
// What an entry knows of the content.
std::uint32_t DigestOf(std::string_view topic, std::string_view payload);

}  // namespace runnel
