#include "pipelines/codecs/json.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json_reader.h"
#include "pipelines/codecs/name_index.h"

namespace runnel {
namespace {

// What a name means to the plan; kNothing where no name is remembered.
enum class Use : std::uint8_t { kKnown, kKept, kSkipped, kNothing };

// A field's name where it stands in a payload.
struct Name {
  std::string_view text;
  Use use = Use::kSkipped;
  std::uint16_t field = Record::kUnknown;
  std::uint8_t bit = 0;  // of the name's hash, 0 to 63
};

// What the bytes from the end of one value to the start of the next, such as
// `,"temp":`, say. Remembered, because devices repeat themselves: comparing with
// the segment that came next the last time is faster than reading it. A segment
// alone decides what it means, so whatever is remembered gives the same record.
struct alignas(64) Segment {
  static constexpr std::size_t kSizeMax = 48;

  char text[kSizeMax] = {};
  std::uint16_t head = 0xffff;  // a bit for each of the first 16 bytes that the text has
  std::uint16_t size = kSizeMax;
  std::uint16_t field = Record::kUnknown;
  Use use = Use::kNothing;
  std::uint8_t bit = 0;  // of the name's hash, 0 to 63
  std::uint8_t name_at = 0;
  std::uint8_t name_size = 0;
  std::uint8_t next = 0;  // number of the segment that followed the last time
};
static_assert(sizeof(Segment) == 64);

enum class Prediction { kOn, kOff };

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const FieldTable& table, Unmentioned unmentioned, Prediction prediction)
      : index_(table), unmentioned_(unmentioned), prediction_(prediction) {}

  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override;

 private:
  bool Matches(const Segment& segment, const char* at) const;
  bool MatchesLong(const Segment& segment, const char* at) const;
  // Apart, so that the predicted way keeps its values in registers.
  [[gnu::noinline]] const char* ReadUnpredicted(const char* at, bool first, std::uint8_t*& next,
                                                Record& record);
  const char* ReadName(const char* at, bool first, Name& name);
  std::uint8_t Learn(const char* start, const char* end, bool first, const Name& name);
  const char* ReadKnown(const char* at, std::uint16_t field, Record& record);
  const char* ReadKept(const char* at, std::string_view name, std::uint8_t bit, Record& record);
  Outcome Finish(const char* at, const Record& record);
  bool KeptTwice(const Record& record);
  Outcome Failed() const { return Outcome::Failed(reader_.reason()); }

  static constexpr std::size_t kFirstSegments = 16;

  NameIndex index_;
  Unmentioned unmentioned_;
  Prediction prediction_;
  JsonReader reader_;
  std::uint64_t seen_ = 0;               // bits of the names kept of this record
  bool seen_twice_ = false;              // two kept names have the same bit
  std::uint8_t first_ = 0;               // number of the segment that came first the last time
  std::array<Segment, 64> segments_;     // the first stands for what is not remembered
  std::vector<std::string_view> names_;  // of KeptTwice; keeps its memory
};

// The segment is there. Perhaps not in the payload but behind its end; then the value
// that is read next does not begin in it either.
inline bool JsonDecoder::Matches(const Segment& segment, const char* at) const {
  static_assert(Segment::kSizeMax < kPadding);
  if ((~scan::Same16(at, segment.text) & segment.head) != 0) return false;
  return segment.size <= 16 || MatchesLong(segment, at);
}

bool JsonDecoder::MatchesLong(const Segment& segment, const char* at) const {
  return std::memcmp(at, segment.text, segment.size) == 0;
}

[[gnu::always_inline]] inline const char* JsonDecoder::ReadKnown(const char* at,
                                                                 std::uint16_t field,
                                                                 Record& record) {
  if (!record.Get(field).IsMissing()) return reader_.Fail(at, "json_duplicate_field");
  return reader_.ReadValue(at, 1, record.Add(field));
}

Outcome JsonDecoder::Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
                          Record& record) {
  cursor.at = DecodeCursor::kEnd;
  reader_.Start(payload, arena);
  seen_ = 0;
  seen_twice_ = false;
  const char* at = payload.data();
  std::uint8_t* next = &first_;
  do {
    Segment& expected = segments_[*next];
    if (!Matches(expected, at) || expected.use == Use::kNothing) [[unlikely]] {
      at = ReadUnpredicted(at, at == payload.data(), next, record);
    } else {
      const char* const start = at;
      at += expected.size;
      next = &expected.next;
      if (expected.use == Use::kKnown) {
        at = ReadKnown(at, expected.field, record);
      } else if (expected.use == Use::kKept) {
        at = ReadKept(at, {start + expected.name_at, expected.name_size}, expected.bit, record);
      } else {
        at = reader_.SkipValue(at, 1);
      }
    }
    if (at == nullptr) return Failed();
  } while (!reader_.Is(at, '}'));
  return Finish(at, record);
}

// One field without help, or what stands before the closing bracket of the object.
const char* JsonDecoder::ReadUnpredicted(const char* at, bool first, std::uint8_t*& next,
                                         Record& record) {
  Name name;
  const char* const start = at;
  at = ReadName(at, first, name);
  if (at == nullptr || name.text.data() == nullptr) return at;
  if (prediction_ == Prediction::kOn) {
    *next = Learn(start, at, first, name);
    next = &segments_[*next].next;
  }
  if (name.use == Use::kKnown) return ReadKnown(at, name.field, record);
  if (name.use == Use::kKept) return ReadKept(at, name.text, name.bit, record);
  return reader_.SkipValue(at, 1);
}

// What stands between two values, read strictly: `{` or `,`, a name and a colon,
// with blanks. At the closing bracket of the object the name's data() is nullptr.
const char* JsonDecoder::ReadName(const char* at, bool first, Name& name) {
  constexpr const char* kReason = "json_bad_object";
  at = reader_.SkipSpace(at);
  if (first && !reader_.Is(at, '{')) return reader_.Fail(at, "json_not_an_object");
  if (!first && reader_.Is(at, '}')) return at;
  if (!first && !reader_.Is(at, ',')) return reader_.Fail(at, kReason);
  at = reader_.SkipSpace(at + 1);
  if (first && reader_.Is(at, '}')) return at;
  if (!reader_.Is(at, '"')) return reader_.Fail(at, kReason);
  at = reader_.ReadString(at, name.text);
  if (at == nullptr) return nullptr;
  at = reader_.SkipSpace(at);
  if (!reader_.Is(at, ':')) return reader_.Fail(at, kReason);
  const NameDigest digest(name.text);
  const int field = index_.Find(name.text, digest);
  if (field >= 0) {
    name.use = Use::kKnown;
    name.field = static_cast<std::uint16_t>(field);
  } else if (unmentioned_ == Unmentioned::kKeep) {
    name.use = Use::kKept;
    name.bit = static_cast<std::uint8_t>(digest.hash >> 8 & 63);
  }
  return reader_.SkipSpace(at + 1);
}

// Remembers the segment [start, end), which the reader has found right, and gives its
// number; 0 when it cannot be remembered. Those that begin an object have numbers of
// their own: one with `{` must never be expected where one with `,` was.
std::uint8_t JsonDecoder::Learn(const char* start, const char* end, bool first, const Name& name) {
  const auto size = static_cast<std::size_t>(end - start);
  const std::ptrdiff_t name_at = name.text.data() - start;
  // A name that had escapes is in the arena.
  if (size > Segment::kSizeMax || name_at < 0 || name_at >= end - start) return 0;
  const std::uint64_t hash = NameDigest({start, size}).hash;
  const std::uint64_t place = first ? 1 + hash % (kFirstSegments - 1)
                                    : kFirstSegments + hash % (segments_.size() - kFirstSegments);
  const auto number = static_cast<std::uint8_t>(place);
  Segment& segment = segments_[number];
  if (segment.use != Use::kNothing && segment.size == size && Matches(segment, start)) {
    return number;
  }
  segment = {};
  std::memcpy(segment.text, start, size);
  segment.bit = name.bit;
  segment.field = name.field;
  segment.use = name.use;
  segment.head = static_cast<std::uint16_t>((1U << std::min<std::size_t>(size, 16)) - 1);
  segment.size = static_cast<std::uint16_t>(size);
  segment.name_at = static_cast<std::uint8_t>(name_at);
  segment.name_size = static_cast<std::uint8_t>(name.text.size());
  return number;
}

const char* JsonDecoder::ReadKept(const char* at, std::string_view name, std::uint8_t bit,
                                  Record& record) {
  seen_twice_ |= (seen_ >> bit & 1) != 0;
  seen_ |= std::uint64_t{1} << bit;
  return reader_.ReadValue(at, 1, record.Append(name));
}

// `at` is the closing bracket of the object.
Outcome JsonDecoder::Finish(const char* at, const Record& record) {
  at = reader_.SkipSpace(at + 1);
  if (at != reader_.end()) return Outcome::Failed("json_trailing_text");
  if (seen_twice_ && KeptTwice(record)) return Outcome::Failed("json_duplicate_field");
  return Outcome::Done();
}

bool JsonDecoder::KeptTwice(const Record& record) {
  names_.clear();
  for (const Record::Entry& entry : record.entries()) {
    if (entry.field == Record::kUnknown) names_.push_back(entry.name);
  }
  return HasDuplicate(names_);
}

}  // namespace

std::unique_ptr<Decoder> MakeJsonDecoder(const FieldTable& table, Unmentioned unmentioned) {
  return std::make_unique<JsonDecoder>(table, unmentioned, Prediction::kOn);
}

std::unique_ptr<Decoder> internal::MakePlainJsonDecoder(const FieldTable& table,
                                                        Unmentioned unmentioned) {
  return std::make_unique<JsonDecoder>(table, unmentioned, Prediction::kOff);
}

namespace {

class JsonFormat final : public Format {
 public:
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return MakeJsonDecoder(table, unmentioned);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override { return MakeJsonEncoder(); }
};

struct Options {
  static void Describe(Schema<Options>&) {}
};

std::unique_ptr<const Format> Compile(const Node& options, const Position& at,
                                      Diagnostics& diagnostics) {
  if (!Read<Options>(options, "json", diagnostics, &at).has_value()) return nullptr;
  return std::make_unique<JsonFormat>();
}

}  // namespace

Codec codecs::json() {
  return {"json",
          "One JSON object (RFC 8259) per message.",
          R"({"temp": 21.5, "ok": true})",
          R"({"temp":21.5,"ok":true})",
          Compile,
          nullptr};
}

}  // namespace runnel
