// Decoding payloads that may have several records, for tests and fuzz targets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/check.h"
#include "pipelines/codecs/codecs.h"
#include "tests/pipelines/codecs/support.h"

namespace runnel::codec_test {

inline std::unique_ptr<const Format> MakeFormat(std::string_view name, const Node& options = {}) {
  Diagnostics diagnostics;
  for (const Codec& codec : Codecs()) {
    if (codec.name == name) return codec.compile(options, {"p.yaml", 1, 1}, diagnostics);
  }
  return nullptr;
}

// Every record as JSON, or its reason. Each is decoded a second time by a fresh decoder
// that has only the cursor, and must be the same.
inline std::vector<std::string> DecodeAll(const Format& format, const FieldTable& table,
                                          std::string_view payload, Unmentioned unmentioned,
                                          std::size_t arena_size = 1 << 18) {
  std::vector<std::string> records;
  const auto warm = format.MakeDecoder(table, unmentioned);
  const auto json = MakeJsonEncoder();
  const Payload padded(payload);
  const auto next = [&](Decoder& decoder, DecodeCursor& cursor) {
    Arena arena(arena_size);
    Record record(table);
    const Outcome outcome = decoder.Next(padded.view(), cursor, arena, record);
    if (!outcome.ok()) return std::string(outcome.reason());
    std::string text;
    CHECK(json->Encode(record, text).ok());
    return text;
  };
  DecodeCursor cursor;
  while (!cursor.AtEnd()) {
    DecodeCursor copy = cursor;
    const std::uint64_t before = cursor.at;
    records.push_back(next(*warm, cursor));
    const auto fresh = format.MakeDecoder(table, unmentioned);
    CHECK(next(*fresh, copy) == records.back());
    CHECK(copy.at == cursor.at);
    CHECK(cursor.at > before);  // it goes on
    CHECK(cursor.AtEnd() || cursor.at <= payload.size());
  }
  return records;
}

// For fuzz targets: decoding with fields skipped and kept, in little memory, and writing each
// record that there is, twice the same, in the codec's own way.
inline void TakeAnyBytes(const Format& format, const FieldTable& table, std::string_view bytes) {
  constexpr std::size_t kArena = 1 << 14;
  DecodeAll(format, table, bytes, Unmentioned::kSkip, kArena);
  DecodeAll(format, table, bytes, Unmentioned::kKeep, kArena);
  const auto decoder = format.MakeDecoder(table, Unmentioned::kKeep);
  const auto encoder = format.MakeEncoder();
  const Payload padded(bytes);
  Arena arena(kArena);
  DecodeCursor cursor;
  while (!cursor.AtEnd()) {
    arena.Reset();
    Record record(table);
    if (!decoder->Next(padded.view(), cursor, arena, record).ok()) continue;
    std::string first;
    std::string second;
    const bool written = encoder->Encode(record, first).ok();
    CHECK(written == format.MakeEncoder()->Encode(record, second).ok());
    if (!written) continue;
    CHECK(first == second);
    DecodeAll(format, table, first, Unmentioned::kKeep, kArena);
  }
}

}  // namespace runnel::codec_test
