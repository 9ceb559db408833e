// Layout: what is where in the three files of a task. See docs/formats/journal.md.
//
// Each file has one writer, and every other process maps it from a descriptor that
// cannot write: what a worker may damage is its own file, and nobody believes that
// file without checking. All words are little-endian; positions count bytes since
// the ring was made and never wrap.
//
//   in      daemon   InPage | redelivery entries | ring of inputs
//   work    worker   WorkPage | ring of outputs | undo log | state region
//   settle  reader   SettlePage   (reader of the outputs: uplink, or daemon for the exchange)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pipelines/plan/ledger.h"

namespace runnel {

inline constexpr std::uint32_t kFormatVersion = 6;
inline constexpr std::size_t kCacheLine = 64;

enum class FileKind : std::uint32_t { kIn = 0x6e69, kWork = 0x6b77, kSettle = 0x7473 };

// At the start of each file; written once, when it is made.
struct FileHeader {
  std::uint64_t magic;
  std::uint32_t version;
  FileKind kind;
  std::uint64_t incarnation;  // the same in all files of a task; sequences compare only within one
  std::uint64_t ring_bytes;   // kIn, kWork: size of the ring
  std::uint64_t extra_bytes;  // kIn: redelivery entries; kWork: state region
  std::uint32_t reserved;
  std::uint32_t check;  // CRC32C of the bytes before
};

// In front of every record of a ring; records start at multiples of 8.
struct RecordHeader {
  std::uint32_t size;  // of header, topic and payload; the next starts at the next multiple of 8
  std::uint8_t kind;   // InputKind or OutputKind
  std::uint8_t flags;  // 0
  std::uint16_t topic_size;
  std::uint64_t sequence;  // inputs: messages before it, or of the source for the exchange;
                           // outputs: out_seq
  std::int64_t time;       // microseconds; inputs: arrival, outputs: Output::time
  std::uint64_t tag;       // inputs: source task of an exchange, kSourcesMax where there is none,
                           // fingerprint of a plan; outputs: MqttSink::tag or shard

  // Field by field, so that a compiler need not have the whole in memory; and each once,
  // whatever the writer does meanwhile: behind the fence nothing is read again.
  void CopyFrom(const std::byte* at) {
    const auto copy = [at](auto& field, std::size_t offset) {
      std::memcpy(&field, at + offset, sizeof field);
    };
    copy(size, offsetof(RecordHeader, size));
    copy(kind, offsetof(RecordHeader, kind));
    copy(flags, offsetof(RecordHeader, flags));
    copy(topic_size, offsetof(RecordHeader, topic_size));
    copy(sequence, offsetof(RecordHeader, sequence));
    copy(time, offsetof(RecordHeader, time));
    copy(tag, offsetof(RecordHeader, tag));
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
};
static_assert(sizeof(RecordHeader) == 32);

// A turn that killed its worker; see Blame in task_files.h.
struct PoisonTurn {
  std::uint64_t turn;
  std::int32_t signal;
  std::uint32_t deaths;  // from 2 on the turn is skipped
};

inline constexpr std::size_t kPoisonMax = 16;
inline constexpr std::size_t kSourcesMax = 64;  // tasks of the stage before, so partitions

// Who waits for room in a ring of inputs, in InPage::waits_for_room.
inline constexpr std::uint32_t kSourceWaits = 1;    // the source's thread: ring the room bell
inline constexpr std::uint32_t kExchangeWaits = 2;  // the daemon's loop: ring the daemon's bell

// writer: the daemon, under the journal's lock.
struct InPage {
  FileHeader header;
  alignas(kCacheLine) std::atomic<std::uint64_t> head;  // end of the last complete record
  // Records before it are in what follows; those behind it say again what is missing.
  std::uint64_t accounted;
  std::int64_t arrival_max;        // microseconds; arrival never goes back
  std::uint64_t plan_fingerprint;  // of the last kPlan record; 0: none yet
  std::uint64_t received;          // messages taken in
  std::uint64_t redelivered;       // messages that were here already, dropped
  std::uint64_t overload_dropped;  // messages dropped by `overload: drop_newest`
  std::uint64_t redelivery_next;   // entries written; the next goes to this modulo their number
  std::atomic<std::uint32_t>
      waits_for_room;               // kSourceWaits, kExchangeWaits: ring when there is room
  std::atomic<std::int64_t> armed;  // microseconds; when the daemon looks for deadlines next
  // Microseconds in which a message of the source waited for room, and since when one waits;
  // 0: none does.
  std::atomic<std::uint64_t> waited;
  std::atomic<std::int64_t> waits_since;
  // Microseconds; the daemon was there then, and took what came.
  std::int64_t up_until;
  // From when to when no message could come in, which the task has not been told; 0: nothing.
  std::int64_t stood_since;
  std::int64_t stood_until;
  std::uint32_t pause_is_untold;  // 1: it goes on
  alignas(kCacheLine) std::uint64_t
      exchange_high[kSourcesMax];              // last sequence taken of each source, plus 1
  std::uint64_t exchange_source[kSourcesMax];  // the incarnation that it is one of
  alignas(kCacheLine) PoisonTurn poison[kPoisonMax];
};

// What the state region holds, and where the worker goes on.
struct CheckpointSlot {
  std::uint64_t number;        // counts up; the larger valid one is current
  std::uint64_t in_position;   // of the first record that is not in the state
  std::uint64_t out_sequence;  // of the next output
  std::uint64_t turn;          // of the next turn
  std::uint64_t arrival_max;   // of the records in the state
  std::uint64_t image_at;      // a changed plan: the new region lies at this offset of the old one,
  std::uint64_t image_bytes;  // this long, and is still to be copied to its place; 0: no such thing
  Ledger ledger;              // a copy for whoever counts
  std::uint32_t states_lost;  // times that a task had to begin anew (damage)
  std::uint32_t check;        // CRC32C of the bytes before
};

// writer: the worker that hosts the task.
struct WorkPage {
  FileHeader header;
  alignas(kCacheLine) CheckpointSlot slots[2];
  alignas(
      kCacheLine) std::atomic<std::uint64_t> reclaim;  // inputs before it are not needed any more
  std::atomic<std::uint64_t> checkpoints;              // number of the last one, for damage
  std::atomic<std::uint64_t> consumed;                 // inputs before it have been pushed
  std::atomic<std::uint64_t> turn_running;             // turn in progress plus 1; 0: none
  std::atomic<std::int64_t> host;      // pid of the worker that has taken over; the turn is its own
  std::atomic<std::int64_t> deadline;  // microseconds; INT64_MAX: none
  std::atomic<std::uint32_t> waits_for_room;  // 1: the ring of outputs is full
  // Number of the last checkpoint behind which there was nothing due.
  std::atomic<std::uint64_t> quiet;
  alignas(kCacheLine) std::atomic<std::uint64_t> out_head;  // end of the last complete output
};

// How far the outputs are settled, and what became of them.
struct SettleState {
  std::uint64_t settled;       // outputs before it are done with
  std::uint64_t sequence;      // of the next output to settle
  std::uint64_t published;     // results acknowledged by the broker
  std::uint64_t rejected;      // results that the broker refused for good
  std::uint64_t dead_letters;  // written to the file
};

// writer: the reader of the outputs. One of the states is current; the other is
// filled and then made current by one store, so that a kill never splits them.
struct SettlePage {
  FileHeader header;
  alignas(kCacheLine) std::atomic<std::uint64_t> settled;  // a copy for the worker, never ahead
  std::atomic<std::uint32_t> current;                      // 0 or 1
  alignas(kCacheLine) SettleState states[2];
};

inline const SettleState& CurrentState(const SettlePage& page) {
  return page.states[page.current.load(std::memory_order_acquire) & 1];
}

// In the in file behind its page: who has sent what under which packet identifier.
struct RedeliveryEntry {
  std::uint64_t position;  // of the record in the ring
  std::uint32_t digest;    // of topic and payload
  std::uint16_t packet_id;
  std::uint16_t session;  // tells sessions of several brokers apart
};

}  // namespace runnel
