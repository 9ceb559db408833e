#include "daemon/workers/batch_protocol.h"

#include <cstring>

namespace runnel::batch {
namespace {

constexpr std::uint64_t kListMax = 4096;

void PutNumbers(const std::vector<std::uint64_t>& numbers, ByteWriter& writer) {
  writer.Varint(numbers.size());
  for (const std::uint64_t number : numbers) writer.Varint(number);
}

std::vector<std::uint64_t> TakeNumbers(ByteReader& reader) {
  std::vector<std::uint64_t> numbers;
  const std::uint64_t count = reader.Varint();
  for (std::uint64_t i = 0; i < count && i < kListMax && reader.ok(); ++i) {
    numbers.push_back(reader.Varint());
  }
  return numbers;
}

}  // namespace

std::string Setup::Encode() const {
  ByteWriter writer;
  writer.U64(spec_bytes);
  writer.U64(slot_bytes);
  writer.U64(slots);
  writer.U64(region_bytes);
  writer.String(poison_text);
  return writer.Take();
}

bool Setup::Decode(std::string_view bytes, Setup& setup) {
  ByteReader reader(bytes);
  setup.spec_bytes = reader.U64();
  setup.slot_bytes = reader.U64();
  setup.slots = reader.U64();
  setup.region_bytes = reader.U64();
  setup.poison_text = reader.String();
  return reader.ok() && reader.AtEnd();
}

std::string Job::Encode() const {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(kind));
  for (const std::uint64_t number_of : {slot, number, header, begin, size})
    writer.Varint(number_of);
  writer.U8(static_cast<std::uint8_t>((first ? 1 : 0) | (last ? 2 : 0) | (spread ? 4 : 0) |
                                      (careful ? 8 : 0)));
  PutNumbers(skip, writer);
  writer.U8(static_cast<std::uint8_t>(goal));
  PutNumbers(runs, writer);
  writer.String(from);
  writer.String(until);
  return writer.Take();
}

bool Job::Decode(std::string_view bytes, Job& job) {
  ByteReader reader(bytes);
  job.kind = static_cast<JobKind>(reader.U8());
  for (std::uint64_t* number_of : {&job.slot, &job.number, &job.header, &job.begin, &job.size}) {
    *number_of = reader.Varint();
  }
  const std::uint8_t flags = reader.U8();
  job.first = (flags & 1) != 0;
  job.last = (flags & 2) != 0;
  job.spread = (flags & 4) != 0;
  job.careful = (flags & 8) != 0;
  job.skip = TakeNumbers(reader);
  job.goal = static_cast<MergeGoal>(reader.U8());
  job.runs = TakeNumbers(reader);
  job.from = reader.String();
  job.until = reader.String();
  return reader.ok() && reader.AtEnd();
}

std::string Reply::Encode() const {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(kind));
  writer.U64(bytes);
  for (std::size_t i = 0; i < BatchCounts::kFields; ++i) writer.U64(counts.fields()[i]);
  writer.U64(groups);
  writer.String(text);
  return writer.Take();
}

bool Reply::Decode(std::string_view bytes, Reply& reply) {
  ByteReader reader(bytes);
  const std::uint8_t kind = reader.U8();
  if (kind > static_cast<std::uint8_t>(ReplyKind::kFailed)) return false;
  reply.kind = static_cast<ReplyKind>(kind);
  reply.bytes = reader.U64();
  for (std::size_t i = 0; i < BatchCounts::kFields; ++i) reply.counts.fields()[i] = reader.U64();
  reply.groups = reader.U64();
  reply.text = reader.String();
  return reader.ok() && reader.AtEnd() && reply.bytes <= kOutBytes;
}

bool TakeFrame(std::string_view& frames, Frame& frame) {
  if (frames.size() < kFrameHead) return false;
  const auto kind = static_cast<std::uint8_t>(frames[0]);
  std::uint32_t size = 0;
  std::memcpy(&frame.number, frames.data() + 1, sizeof frame.number);
  std::memcpy(&size, frames.data() + 5, sizeof size);
  if (kind < 1 || kind > 6 || size > frames.size() - kFrameHead) return false;
  frame.kind = static_cast<FrameKind>(kind);
  frame.bytes = frames.substr(kFrameHead, size);
  frames.remove_prefix(kFrameHead + size);
  return true;
}

std::string EncodeReject(const RejectFrame& reject) {
  ByteWriter writer;
  writer.Varint(reject.chunk + 1);  // kNone becomes 0
  writer.Varint(reject.line + 1);
  writer.String(reject.step);
  writer.String(reject.reason);
  writer.String(reject.row);
  return writer.Take();
}

bool DecodeReject(std::string_view bytes, RejectFrame& reject) {
  ByteReader reader(bytes);
  reject.chunk = reader.Varint() - 1;
  reject.line = reader.Varint() - 1;
  reject.step = reader.String();
  reject.reason = reader.String();
  reject.row = reader.String();
  return reader.ok() && reader.AtEnd();
}

}  // namespace runnel::batch
