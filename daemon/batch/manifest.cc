#include "daemon/batch/manifest.h"

#include <span>

#include "pipelines/base/bytes.h"
#include "pipelines/base/crc32c.h"

namespace runnel {
namespace {

constexpr std::uint64_t kMagic = 0x33686374'61626e72;  // "rnbatch3"

std::string Framed(std::string_view bytes) {
  ByteWriter writer;
  writer.U32(static_cast<std::uint32_t>(bytes.size()));
  writer.U32(Crc32c(std::as_bytes(std::span(bytes))));
  writer.Raw(bytes);
  return writer.Take();
}

// The next frame that is whole; false at the end.
bool TakeFramed(std::string_view& from, std::string_view& frame) {
  ByteReader reader(from);
  const std::uint32_t size = reader.U32();
  const std::uint32_t sum = reader.U32();
  frame = reader.Raw(size);
  if (!reader.ok() || Crc32c(std::as_bytes(std::span(frame))) != sum) return false;
  from.remove_prefix(8 + frame.size());
  return true;
}

void PutExtent(const Extent& extent, ByteWriter& writer) {
  writer.Varint(extent.offset);
  writer.Varint(extent.size);
}

Extent TakeExtent(ByteReader& reader) {
  Extent extent;
  extent.offset = reader.Varint();
  extent.size = reader.Varint();
  return extent;
}

bool DecodeHead(std::string_view bytes, ManifestHead& head) {
  ByteReader reader(bytes);
  if (reader.U64() != kMagic) return false;
  head.pipeline = reader.U64();
  head.chunk_bytes = reader.Varint();
  head.spread = reader.U8() != 0;
  const std::uint64_t count = reader.Varint();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    InputFile input;
    input.path = reader.String();
    input.size = reader.Varint();
    input.modified = reader.Signed();
    head.inputs.push_back(std::move(input));
  }
  return reader.ok() && reader.AtEnd();
}

bool DecodeEntry(std::string_view bytes, ManifestEntry& entry) {
  ByteReader reader(bytes);
  entry.chunk.number = reader.Varint();
  entry.chunk.file = reader.Varint();
  entry.chunk.line = reader.Varint();
  entry.chunk.position = reader.Varint();
  entry.chunk.next_line = reader.Varint();
  entry.chunk.file_ends = reader.U8() != 0;
  for (std::size_t i = 0; i < BatchCounts::kFields; ++i) entry.counts.fields()[i] = reader.Varint();
  entry.output = reader.Varint();
  entry.spool = reader.Varint();
  entry.rejects = reader.Varint();
  const std::uint64_t runs = reader.Varint();
  for (std::uint64_t i = 0; i < runs && reader.ok(); ++i) entry.runs.push_back(TakeExtent(reader));
  const std::uint64_t segments = reader.Varint();
  for (std::uint64_t i = 0; i < segments && reader.ok(); ++i) {
    SegmentPlace place;
    place.partition = static_cast<std::uint32_t>(reader.Varint());
    place.chunk = entry.chunk.number;
    place.header = static_cast<std::uint32_t>(reader.Varint());
    place.extent = TakeExtent(reader);
    if (place.partition >= kBatchPartitions) return false;
    entry.segments.push_back(place);
  }
  return reader.ok() && reader.AtEnd();
}

}  // namespace

std::string EncodeManifestHead(const ManifestHead& head) {
  ByteWriter writer;
  writer.U64(kMagic);
  writer.U64(head.pipeline);
  writer.Varint(head.chunk_bytes);
  writer.U8(head.spread ? 1 : 0);
  writer.Varint(head.inputs.size());
  for (const InputFile& input : head.inputs) {
    writer.String(input.path);
    writer.Varint(input.size);
    writer.Signed(input.modified);
  }
  return Framed(writer.bytes());
}

std::string EncodeManifestEntry(const ManifestEntry& entry) {
  ByteWriter writer;
  for (const std::uint64_t number :
       {entry.chunk.number, std::uint64_t{entry.chunk.file}, entry.chunk.line, entry.chunk.position,
        entry.chunk.next_line}) {
    writer.Varint(number);
  }
  writer.U8(entry.chunk.file_ends ? 1 : 0);
  for (std::size_t i = 0; i < BatchCounts::kFields; ++i) writer.Varint(entry.counts.fields()[i]);
  for (const std::uint64_t size : {entry.output, entry.spool, entry.rejects}) writer.Varint(size);
  writer.Varint(entry.runs.size());
  for (const Extent& run : entry.runs) PutExtent(run, writer);
  writer.Varint(entry.segments.size());
  for (const SegmentPlace& place : entry.segments) {
    writer.Varint(place.partition);
    writer.Varint(place.header);
    PutExtent(place.extent, writer);
  }
  return Framed(writer.bytes());
}

std::optional<ManifestContent> ReadManifest(std::string_view bytes) {
  ManifestContent content;
  std::string_view rest = bytes;
  std::string_view frame;
  if (!TakeFramed(rest, frame) || !DecodeHead(frame, content.head)) return std::nullopt;
  content.size = bytes.size() - rest.size();
  while (TakeFramed(rest, frame)) {
    ManifestEntry entry;
    const bool next = DecodeEntry(frame, entry) && entry.chunk.number == content.entries.size() &&
                      entry.chunk.file < content.head.inputs.size();
    if (!next) break;
    content.entries.push_back(std::move(entry));
    content.size = bytes.size() - rest.size();
  }
  return content;
}

std::string WhyNotTheSame(const ManifestHead& before, const ManifestHead& now) {
  if (before.pipeline != now.pipeline) return "the pipeline or the formats are others";
  if (before.chunk_bytes != now.chunk_bytes) return "the chunks are of another size";
  if (before.inputs.size() != now.inputs.size()) return "there are other inputs";
  for (std::size_t i = 0; i < now.inputs.size(); ++i) {
    const InputFile& a = before.inputs[i];
    const InputFile& b = now.inputs[i];
    if (a.path != b.path) return "`" + b.path + "` was `" + a.path + "`";
    if (a.size != b.size || a.modified != b.modified) return "`" + b.path + "` has changed";
  }
  return {};
}

}  // namespace runnel
