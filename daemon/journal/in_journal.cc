#include "daemon/journal/in_journal.h"

#include <algorithm>
#include <climits>
#include <cstring>

namespace runnel {
namespace {

constexpr std::size_t kOversizeKept = 1024;
// Bytes of a record that says from when to when no message could come in.
constexpr std::size_t kTimesBytes = 2 * sizeof(std::int64_t);
constexpr std::uint64_t kNewsBytes = RingBytes(0, kTimesBytes);
// Room that only time may use: a tick, what stops or goes on, and what stood before.
constexpr std::uint64_t kTimeReserve = RingBytes(0, 0) + 2 * kNewsBytes;
// How late the loop may be without having stood still, microseconds.
constexpr std::int64_t kLate = 1'000'000;

}  // namespace

Result<std::unique_ptr<InJournal>> InJournal::Open(const TaskFiles& files, const Options& options) {
  const InLayout layout = LayoutOfIn(files.in_header);
  Result<Mapping> pages = Mapping::Map(files.in.get(), 0, layout.ring, Access::kWrite);
  if (!pages.ok()) return pages.error();
  Result<Mapping> ring =
      Mapping::MapTwice(files.in.get(), layout.ring, files.in_header.ring_bytes, Access::kWrite);
  if (!ring.ok()) return ring.error();
  Result<Mapping> work =
      Mapping::Map(files.work.get(), 0, RoundToPage(sizeof(WorkPage)), Access::kRead);
  if (!work.ok()) return work.error();

  std::unique_ptr<InJournal> journal(new InJournal());
  journal->options_ = options;
  // Two records of the largest size and the reserve always fit.
  journal->options_.record_max =
      std::min(options.record_max, files.in_header.ring_bytes / 4 - kTimeReserve);
  journal->pages_ = std::move(pages).value();
  journal->ring_ = std::move(ring).value();
  journal->work_page_ = std::move(work).value();
  journal->in_ = reinterpret_cast<InPage*>(journal->pages_.data());
  journal->work_ = reinterpret_cast<const WorkPage*>(journal->work_page_.data());
  journal->writer_.emplace(journal->ring_.data(), files.in_header.ring_bytes, journal->in_->head,
                           journal->work_->reclaim);
  journal->redelivery_.emplace(
      std::span(reinterpret_cast<RedeliveryEntry*>(journal->pages_.data() + layout.redelivery),
                files.in_header.extra_bytes),
      journal->in_->redelivery_next, journal->writer_->end());
  journal->AccountForTheRest();
  InPage& page = *journal->in_;
  journal->up_before_ = TimeFromMicroseconds(std::max(page.arrival_max, page.up_until));
  page.waits_for_room.store(0);
  // What went on when the daemon before ended was over by then.
  if (page.pause_is_untold != 0 || page.waits_since != 0) {
    page.stood_until = Microseconds(journal->up_before_);
  }
  page.pause_is_untold = 0;
  page.waits_since.store(0);
  page.armed.store(INT64_MAX);
  return journal;
}

[[gnu::always_inline]] inline void InJournal::Append(RecordHeader header, Time arrival,
                                                     std::string_view topic,
                                                     std::string_view payload) {
  header.time = std::max(in_->arrival_max, Microseconds(arrival));
  writer_->Append(header, topic, {payload});
  writer_->Publish();
  // Killed from here on: the record says the same again to the next one who opens this.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  Account(header);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  in_->accounted = writer_->end();
  appends_->store(appends_->load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

// What is kept of a message that is larger than record_max.
bool InJournal::Shorten(std::string_view& topic, std::string_view& payload) const {
  if (topic.size() + payload.size() <= options_.record_max) return false;
  topic = topic.substr(0, kOversizeKept);
  payload = payload.substr(0, kOversizeKept);
  return true;
}

// REQUIRES: the lock is held.
bool InJournal::IsRepeat(const Delivery& delivery, std::uint32_t digest) {
  if (!delivery.may_repeat || delivery.packet_id == 0 ||
      !redelivery_->IsRepeat(delivery.session, delivery.packet_id, digest)) {
    return false;
  }
  ++in_->redelivered;
  return true;
}

bool InJournal::TakeRepeat(std::string_view topic, std::string_view payload,
                           const Delivery& delivery) {
  Shorten(topic, payload);
  const std::uint32_t digest = DigestOf(topic, payload);
  const std::lock_guard lock(mutex_);
  return IsRepeat(delivery, digest);
}

Appended InJournal::AppendMessage(std::string_view topic, std::string_view payload, Time arrival,
                                  const Delivery& delivery) {
  RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(Shorten(topic, payload) ? InputKind::kOversize
                                                                  : InputKind::kMessage);
  const bool acknowledged = delivery.packet_id != 0;
  const std::uint32_t digest = acknowledged ? DigestOf(topic, payload) : 0;
  const std::lock_guard lock(mutex_);
  if (IsRepeat(delivery, digest)) return Appended::kRedelivered;
  LookForAbsence(Microseconds(arrival));
  const std::uint64_t reserve = kTimeReserve + plan_room_ + RoomOfUntold();
  if (!writer_->HasRoom(RingBytes(topic.size(), payload.size()) + reserve)) {
    return Appended::kFull;
  }
  TellUntold(arrival);
  if (acknowledged) {
    redelivery_->Note(delivery.session, delivery.packet_id, digest, writer_->end());
  }
  header.sequence = in_->received;
  Append(header, arrival, topic, payload);
  return Appended::kDone;
}

Appended InJournal::AppendTime(InputKind kind, Time arrival) {
  const std::lock_guard lock(mutex_);
  if (!writer_->HasRoom(RingBytes(0, 0) + RoomOfUntold())) return Appended::kFull;
  TellUntold(arrival);
  AppendOwn(kind, arrival, {});
  return Appended::kDone;
}

Appended InJournal::AppendNews(InputKind kind, Time arrival, Time since) {
  const std::lock_guard lock(mutex_);
  const std::int64_t at = Microseconds(since);
  const std::int64_t now = Microseconds(arrival);
  LookForAbsence(now);
  const bool pauses = kind == InputKind::kPause;
  if (in_->pause_is_untold != 0) NoteStood(in_->stood_since, pauses ? now : at);
  const bool is_full = !writer_->HasRoom(kNewsBytes + RoomOfUntold());
  in_->pause_is_untold = is_full && pauses ? 1 : 0;
  if (is_full) {
    if (pauses) NoteStood(at, now);
    return Appended::kFull;
  }
  TellUntold(arrival);
  AppendStood(kind, arrival, at, at);
  return Appended::kDone;
}

void InJournal::AppendStood(InputKind kind, Time arrival, std::int64_t since, std::int64_t until) {
  const std::int64_t times[] = {since, until};
  char payload[sizeof times];
  static_assert(sizeof payload == kTimesBytes);
  std::memcpy(payload, times, sizeof times);
  AppendOwn(kind, arrival, {payload, sizeof payload});
}

// What the daemon itself says.
void InJournal::AppendOwn(InputKind kind, Time arrival, std::string_view payload) {
  RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(kind);
  header.tag = kSourcesMax;
  Append(header, arrival, {}, payload);
}

inline std::uint64_t InJournal::RoomOfUntold() const {
  return in_->stood_since == 0 ? 0 : kNewsBytes;
}

// First, so that what comes next makes no device silent by its own arrival.
inline void InJournal::TellUntold(Time arrival) {
  if (in_->stood_since == 0) [[likely]]
    return;
  const std::int64_t now = Microseconds(arrival);
  const bool goes_on =
      in_->pause_is_untold != 0 || in_->waits_since.load(std::memory_order_relaxed) != 0;
  AppendStood(InputKind::kStood, arrival, in_->stood_since, goes_on ? now : in_->stood_until);
  in_->stood_since = goes_on ? now : 0;
}

void InJournal::NoteStood(std::int64_t since, std::int64_t until) {
  const bool first = in_->stood_since == 0;
  in_->stood_since = std::max<std::int64_t>(first ? since : std::min(in_->stood_since, since), 1);
  in_->stood_until = first ? until : std::max(in_->stood_until, until);
}

inline void InJournal::LookForAbsence(std::int64_t now) {
  std::int64_t armed = in_->armed.load(std::memory_order_relaxed);
  if (now - kLate <= armed) [[likely]]
    return;
  NoteStood(in_->up_until, now);
  in_->up_until = now;  // once, unless the loop has armed it again
  in_->armed.compare_exchange_strong(armed, INT64_MAX, std::memory_order_relaxed);
}

void InJournal::NoteUp(Time now) {
  const std::lock_guard lock(mutex_);
  LookForAbsence(Microseconds(now));
  // Never back: a clock that is behind for a moment must not make a standstill of the time before.
  in_->up_until = std::max(in_->up_until, Microseconds(now));
}

Appended InJournal::AppendExchange(InputKind kind, const ExchangeOrigin& origin, Time arrival,
                                   std::string_view payload) {
  const std::lock_guard lock(mutex_);
  if (origin.source >= kSourcesMax) return Appended::kRedelivered;
  std::uint64_t& high = in_->exchange_high[origin.source];
  std::uint64_t& incarnation = in_->exchange_source[origin.source];
  if (incarnation != origin.incarnation) {
    high = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    incarnation = origin.incarnation;
  }
  if (origin.sequence < high) return Appended::kRedelivered;
  // A plan that waits wants room for time, too.
  const std::uint64_t reserve = plan_room_ == 0 ? 0 : plan_room_ + kTimeReserve + RoomOfUntold();
  if (!writer_->HasRoom(RingBytes(0, payload.size()) + reserve)) return Appended::kFull;
  RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(kind);
  header.sequence = origin.sequence;
  header.tag = origin.source;
  Append(header, arrival, {}, payload);
  return Appended::kDone;
}

bool InJournal::HasAsLast(const ExchangeOrigin& origin) {
  const std::lock_guard lock(mutex_);
  return origin.source < kSourcesMax && in_->exchange_source[origin.source] == origin.incarnation &&
         in_->exchange_high[origin.source] == origin.sequence + 1;
}

// What the page remembers of a record. Twice is as once.
inline void InJournal::Account(const RecordHeader& header) {
  in_->arrival_max = header.time;
  switch (static_cast<InputKind>(header.kind)) {
    case InputKind::kMessage:
    case InputKind::kOversize:
      in_->received = header.sequence + 1;
      return;
    case InputKind::kPlan:
      in_->plan_fingerprint = header.tag;
      return;
    case InputKind::kEnd:
      return;
    case InputKind::kExchange:
    case InputKind::kTick:
    case InputKind::kPause:
    case InputKind::kResume:
    case InputKind::kStood:
      if (header.tag < kSourcesMax) in_->exchange_high[header.tag] = header.sequence + 1;
      return;
  }
}

// At most one record, which a predecessor has appended before it was killed. It is still in
// the ring, since nobody but the daemon overwrites it.
void InJournal::AccountForTheRest() {
  RingReader reader(ring_.data(), writer_->capacity(), in_->head, in_->accounted,
                    writer_->capacity());
  RecordView record;
  while (reader.Peek(record) == RingReader::Found::kRecord) {
    Account(record.header);
    reader.Pass(record);
  }
  in_->accounted = writer_->end();
}

Appended InJournal::AppendPlan(std::uint64_t fingerprint, std::string_view encoded, Time arrival) {
  const std::lock_guard lock(mutex_);
  if (in_->plan_fingerprint == fingerprint) {
    plan_room_ = 0;  // another one that waited has been taken back
    return Appended::kRedelivered;
  }
  const std::uint64_t room = RingBytes(0, encoded.size());
  // Time has its room all the same.
  if (!writer_->HasRoom(room + kTimeReserve + RoomOfUntold())) {
    plan_room_ = room;
    return Appended::kFull;
  }
  plan_room_ = 0;
  RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(InputKind::kPlan);
  header.tag = fingerprint;
  Append(header, arrival, {}, encoded);
  return Appended::kDone;
}

void InJournal::TakeCopy(std::string_view topic, std::string_view payload,
                         const Delivery& delivery) {
  Shorten(topic, payload);
  const std::uint32_t digest = DigestOf(topic, payload);
  const std::lock_guard lock(mutex_);
  if (IsRepeat(delivery, digest)) return;
  ++in_->redelivered;
  // Within the record that is there, and behind its own entry.
  if (delivery.packet_id != 0 && writer_->end() != 0) {
    redelivery_->Note(delivery.session, delivery.packet_id, digest, writer_->end() - 1);
  }
}

void InJournal::CountOverloadDrop(Time now) {
  const std::lock_guard lock(mutex_);
  ++in_->overload_dropped;
  NoteStood(Microseconds(now), Microseconds(now));
}

void InJournal::SessionBegins(std::uint16_t session, SessionState state) {
  const std::lock_guard lock(mutex_);
  redelivery_->SessionBegins(session, state, writer_->end());
}

void InJournal::StartWaiting(std::uint32_t waiter) {
  in_->waits_for_room.fetch_or(waiter, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void InJournal::StopWaiting(std::uint32_t waiter) {
  if ((in_->waits_for_room.load(std::memory_order_relaxed) & waiter) == 0) return;
  in_->waits_for_room.fetch_and(~waiter, std::memory_order_relaxed);
}

void InJournal::WaitBegins(Time now) {
  const std::lock_guard lock(mutex_);
  NoteStood(Microseconds(now), Microseconds(now));
  in_->waits_since.store(Microseconds(now), std::memory_order_relaxed);
}

void InJournal::WaitEnds(Time now, bool taken) {
  const std::int64_t since = in_->waits_since.load(std::memory_order_relaxed);
  const std::int64_t waited = std::max<std::int64_t>(Elapsed(since, Microseconds(now)), 0);
  in_->waited.fetch_add(static_cast<std::uint64_t>(waited), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  in_->waits_since.store(0, std::memory_order_relaxed);
  if (taken && in_->pause_is_untold == 0) {
    in_->stood_since = 0;  // the message has told it
  } else {
    in_->stood_until = Microseconds(now);
  }
}

Duration WaitedIn(const InPage& page, Time now) {
  const auto waited = static_cast<std::int64_t>(page.waited.load(std::memory_order_relaxed));
  const std::int64_t since = page.waits_since.load(std::memory_order_relaxed);
  const std::int64_t lasts = since == 0 ? 0 : Elapsed(since, Microseconds(now));
  return Duration(waited + std::max<std::int64_t>(lasts, 0));
}

bool InJournal::Drained() const { return work_->reclaim.load(std::memory_order_acquire) == end(); }

bool InJournal::HasUnread() const {
  return work_->consumed.load(std::memory_order_acquire) != end();
}

std::optional<Time> InJournal::Deadline() const {
  const std::int64_t deadline = work_->deadline.load(std::memory_order_acquire);
  if (deadline == INT64_MAX || deadline <= 0) return std::nullopt;
  return TimeFromMicroseconds(deadline);
}

std::uint64_t InJournal::TurnRunning(pid_t worker) const {
  if (work_->host.load(std::memory_order_acquire) != worker) return 0;
  return work_->turn_running.load(std::memory_order_acquire);
}

std::optional<Blame> InJournal::BlameRunningTurn(pid_t worker, int signal) {
  const std::uint64_t running = TurnRunning(worker);
  if (running == 0) return std::nullopt;
  const std::uint64_t turn = running - 1;
  const std::uint64_t settled = checkpoint().turn;
  const std::lock_guard lock(mutex_);
  PoisonTurn* place = nullptr;
  for (PoisonTurn& entry : in_->poison) {
    if (entry.deaths > 0 && entry.turn < settled) entry = PoisonTurn{};
    if (entry.deaths > 0 && entry.turn == turn) {
      place = &entry;
      break;
    }
    if (entry.deaths == 0 && place == nullptr) place = &entry;
  }
  if (place == nullptr) return std::nullopt;
  place->turn = turn;
  place->signal = signal;
  ++place->deaths;
  return Blame{turn, place->deaths, place->deaths >= 2};
}

}  // namespace runnel
