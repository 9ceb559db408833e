#include "pipelines/codecs/json.h"

#include <array>
#include <cstring>
#include <vector>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json_reader.h"
#include "pipelines/codecs/name_index.h"

namespace runnel {
namespace {

// What a name means to the plan.
enum class Use : std::uint8_t { kKnown, kKept, kSkipped };

// A field's name where it stands in a payload.
struct Name {
  std::string_view text;
  Use use = Use::kSkipped;
  std::uint16_t field = Record::kUnknown;
  std::uint64_t bit = 0;  // one of 64, by the name's hash
};

// What the bytes from the end of one value to the start of the next, such as
// `,"temp":`, say. Remembered, because devices repeat themselves: comparing with
// the segment that came next the last time is faster than reading it. A segment
// alone decides what it means, so whatever is remembered gives the same record.
struct alignas(64) Segment {
  static constexpr std::size_t kSizeMax = 48;

  char text[kSizeMax] = {};
  std::uint64_t bit = 0;
  std::uint16_t field = Record::kUnknown;
  Use use = Use::kSkipped;
  std::uint8_t size = 0;  // 0: nothing remembered
  std::uint8_t name_at = 0;
  std::uint8_t name_size = 0;
  std::uint8_t next = 0;  // number of the segment that followed the last time
};
static_assert(sizeof(Segment) == 64);

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const FieldTable& table, Unmentioned unmentioned)
      : index_(table), unmentioned_(unmentioned) {}

  Outcome Decode(std::string_view payload, Arena& arena, Record& record) override;

 private:
  bool Matches(const Segment& segment, const char* at) const;
  const char* ReadName(const char* at, bool first, Name& name);
  std::uint8_t Learn(const char* start, const char* end, const Name& name);
  const char* ReadField(const char* at, const Name& name, Record& record);
  Outcome Finish(const char* at, const Record& record);
  bool KeptTwice(const Record& record);
  Outcome Failed() const { return Outcome::Failed(reader_.reason()); }

  NameIndex index_;
  Unmentioned unmentioned_;
  JsonReader reader_;
  std::uint64_t seen_ = 0;      // bits of the kept names of this record
  bool seen_twice_ = false;     // two kept names have the same bit
  std::uint8_t first_ = 0;      // number of the segment that came first the last time
  std::array<Segment, 64> segments_;  // the first stands for what is not remembered
  std::vector<std::string_view> names_;  // of KeptTwice; keeps its memory
};

// The segment is there and the payload goes on behind it.
inline bool JsonDecoder::Matches(const Segment& segment, const char* at) const {
  static_assert(Segment::kSizeMax < kPadding);
  const unsigned size = segment.size;
  if (size == 0 || reader_.end() - at <= static_cast<std::ptrdiff_t>(size)) return false;
  if (!scan::SamePrefix(at, segment.text, size < 16 ? size : 16)) return false;
  for (unsigned done = 16; done < size; done += 16) {
    const unsigned rest = size - done;
    if (!scan::SamePrefix(at + done, segment.text + done, rest < 16 ? rest : 16)) return false;
  }
  return true;
}

Outcome JsonDecoder::Decode(std::string_view payload, Arena& arena, Record& record) {
  reader_.Start(payload, arena);
  seen_ = 0;
  seen_twice_ = false;
  const char* at = payload.data();
  std::uint8_t* next = &first_;
  for (bool first = true;; first = false) {
    if (!first && reader_.Is(at, '}')) return Finish(at, record);
    Name name;
    Segment& expected = segments_[*next];
    if (Matches(expected, at)) [[likely]] {
      name = {{at + expected.name_at, expected.name_size}, expected.use, expected.field, expected.bit};
      at += expected.size;
      next = &expected.next;
    } else {
      const char* const start = at;
      at = ReadName(at, first, name);
      if (at == nullptr) return Failed();
      if (name.text.data() == nullptr) return Finish(at, record);
      *next = Learn(start, at, name);
      next = &segments_[*next].next;
    }
    at = ReadField(at, name, record);
    if (at == nullptr) return Failed();
  }
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
    name.bit = std::uint64_t{1} << (digest.hash >> 8 & 63);
  }
  return reader_.SkipSpace(at + 1);
}

// Remembers the segment [start, end), which the reader has found right, and gives its
// number; 0 when it cannot be remembered.
std::uint8_t JsonDecoder::Learn(const char* start, const char* end, const Name& name) {
  const auto size = static_cast<std::size_t>(end - start);
  const std::ptrdiff_t name_at = name.text.data() - start;
  // A name that had escapes is in the arena.
  if (size > Segment::kSizeMax || name_at < 0 || name_at >= end - start) return 0;
  const std::uint64_t hash = NameDigest({start, size}).hash;
  const auto number = static_cast<std::uint8_t>(1 + hash % (segments_.size() - 1));
  Segment& segment = segments_[number];
  if (Matches(segment, start) && segment.size == size) return number;
  segment = {};
  std::memcpy(segment.text, start, size);
  segment.bit = name.bit;
  segment.field = name.field;
  segment.use = name.use;
  segment.size = static_cast<std::uint8_t>(size);
  segment.name_at = static_cast<std::uint8_t>(name_at);
  segment.name_size = static_cast<std::uint8_t>(name.text.size());
  return number;
}

const char* JsonDecoder::ReadField(const char* at, const Name& name, Record& record) {
  if (name.use == Use::kSkipped) return reader_.SkipValue(at, 1);
  Value value;
  if (name.use == Use::kKnown) {
    if (!record.Get(name.field).IsMissing()) return reader_.Fail(at, "json_duplicate_field");
    at = reader_.ReadValue(at, 1, value);
    if (at != nullptr) record.Set(name.field, value);
    return at;
  }
  at = reader_.ReadValue(at, 1, value);
  if (at == nullptr) return nullptr;
  seen_twice_ |= (seen_ & name.bit) != 0;
  seen_ |= name.bit;
  record.Append(name.text, value);
  return at;
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
  return std::make_unique<JsonDecoder>(table, unmentioned);
}

Codec codecs::json() {
  return {"json", "One JSON object (RFC 8259) per message.", MakeJsonDecoder, MakeJsonEncoder};
}

}  // namespace runnel
