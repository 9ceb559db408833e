// BatchProtocol: what the coordinator of `runnel batch` and its workers tell each other.
//
// Bulk goes through shared memory: the coordinator fills slots that workers may only read;
// each worker has an out area of its own, whose every byte the coordinator distrusts. The
// channel carries small messages: a setup with its descriptors, then jobs and replies, one
// at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/bytes.h"
#include "pipelines/batch/run_merger.h"

namespace runnel::batch {

// In front of the text of a chunk there is room for the header of its file.
constexpr std::size_t kHeaderRoom = 64 * 1024;
constexpr std::size_t kOutBytes = 4 << 20;  // of an out area
constexpr std::size_t kOutSoft = 1 << 20;   // where a worker hands over what it has
constexpr std::size_t kMessageMax = 64 * 1024;

struct Setup {
  std::uint64_t spec_bytes = 0;
  std::uint64_t slot_bytes = 0;
  std::uint64_t slots = 0;
  std::uint64_t region_bytes = 0;  // for states
  std::string poison_text;         // tests

  std::string Encode() const;
  static bool Decode(std::string_view bytes, Setup& setup);
};
constexpr std::size_t kSetupFds = 3;  // spec, slots, out area

enum class JobKind : std::uint8_t { kProbe, kMap, kPartition, kMerge, kGoOn };

struct Job {
  JobKind kind = JobKind::kMap;
  std::uint64_t slot = 0;
  std::uint64_t number = 0;  // of the chunk, or of the partition
  std::uint64_t header = 0;  // bytes at the front of the slot
  std::uint64_t begin = 0;   // of the text in the slot
  std::uint64_t size = 0;    // of the text, of the segments
  bool first = true;         // kPartition: the first and last part of it
  bool last = true;
  bool spread = false;
  bool careful = false;
  std::vector<std::uint64_t> skip;
  MergeGoal goal = MergeGoal::kRun;  // kMerge, with all below
  std::vector<std::uint64_t> runs;   // bytes of each, one behind the other
  std::string from;
  std::string until;

  std::string Encode() const;
  static bool Decode(std::string_view bytes, Job& job);
};

enum class ReplyKind : std::uint8_t { kReady, kMore, kDone, kFailed };

struct Reply {
  ReplyKind kind = ReplyKind::kReady;
  std::uint64_t bytes = 0;  // of frames in the out area
  BatchCounts counts;       // kDone
  std::uint64_t groups = 0;
  std::string text;  // kFailed

  std::string Encode() const;
  static bool Decode(std::string_view bytes, Reply& reply);
};

// Frames in an out area: kind, u32 number, u32 size, then so many bytes.
enum class FrameKind : std::uint8_t {
  kOutput = 1,
  kRunBlock = 2,
  kEndRun = 3,
  kSegment = 4,
  kReject = 5,
  kField = 6  // kProbe: the name of a field of results
};
constexpr std::size_t kFrameHead = 9;
struct Frame {
  FrameKind kind = FrameKind::kOutput;
  std::uint32_t number = 0;
  std::string_view bytes;
};
// Takes a frame off the front; false where there is none that is right.
bool TakeFrame(std::string_view& frames, Frame& frame);

// What kReject has in it.
struct RejectFrame {
  static constexpr std::uint64_t kNone = UINT64_MAX;
  std::uint64_t chunk = kNone;  // kNone: the one that is being worked on, if any
  std::uint64_t line = kNone;   // in the chunk, from 0
  std::string_view step;
  std::string_view reason;
  std::string_view row;
};
std::string EncodeReject(const RejectFrame& reject);
bool DecodeReject(std::string_view bytes, RejectFrame& reject);

// What one chunk has left for a partition, in a slot.
struct SegmentHead {
  std::uint64_t chunk;
  std::uint32_t header;
  std::uint32_t size;  // behind the header
};

// The first page of an out area. Written by the worker; the coordinator only reads it.
struct OutPage {
  std::atomic<std::uint64_t> progress;  // the row that is being worked on
};

}  // namespace runnel::batch
