// What the tests of the codecs share: payloads with padding, records as text.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/codecs/json.h"

namespace runnel::codec_test {

inline FieldTable TableOf(std::initializer_list<std::string_view> names) {
  FieldTable table;
  for (const std::string_view name : names) table.Intern(name);
  return table;
}

// A payload in a block of exactly its size and padding, so that a sanitizer sees
// each read beyond it.
class Payload final {
 public:
  explicit Payload(std::string_view text, char padding = '7')
      : size_(text.size()), block_(std::make_unique<char[]>(text.size() + Decoder::kPadding)) {
    std::memcpy(block_.get(), text.data(), size_);
    std::memset(block_.get() + size_, padding, Decoder::kPadding);
  }
  std::string_view view() const { return {block_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> block_;
};

// Every type and value with all its bits.
inline void Describe(const Value& value, std::string& out) {
  out += std::to_string(static_cast<int>(value.type()));
  switch (value.type()) {
    case Type::kString:
      out += '"';
      out += value.AsString();
      out += '"';
      break;
    case Type::kDouble: {
      const double number = value.AsDouble();
      std::uint64_t bits = 0;
      std::memcpy(&bits, &number, sizeof bits);
      out += ':' + std::to_string(bits);
      break;
    }
    case Type::kList:
      out += '[';
      for (const Value& item : value.AsList()) Describe(item, out);
      out += ']';
      break;
    case Type::kMap:
      out += '{';
      for (const MapEntry& entry : value.AsMap()) {
        Describe(entry.key, out);
        Describe(entry.value, out);
      }
      out += '}';
      break;
    case Type::kTimestamp:
    case Type::kDuration:
      out += ':' + std::to_string(value.Seconds()) + '.' + std::to_string(value.Nanoseconds());
      break;
    case Type::kBytes:
      out += '\'';
      out += value.AsBytes();
      out += '\'';
      break;
    default:
      out += ':' + std::to_string(value.AsInt());
  }
}

inline std::string Describe(const Record& record) {
  std::string out;
  for (const Record::Entry& entry : record.entries()) {
    out += record.NameOf(entry);
    out += entry.field == Record::kUnknown ? '?' : '=';
    Describe(record.ValueOf(entry), out);
    out += ' ';
  }
  return out;
}

// The record that `payload` gives, described, or the reason why there is none.
inline std::string DecodeWith(Decoder& decoder, const FieldTable& table, std::string_view payload,
                              char padding = '7', std::size_t arena_size = 1 << 16) {
  const Payload padded(payload, padding);
  Arena arena(arena_size);
  Record record(table);
  const Outcome outcome = decoder.Decode(padded.view(), arena, record);
  return outcome.ok() ? Describe(record) : outcome.reason();
}

// The JSON text of the record that a JSON payload gives, or the reason.
inline std::string Again(std::string_view payload, const FieldTable& table, Unmentioned unmentioned,
                         std::size_t arena_size = 1 << 16) {
  const Payload padded(payload);
  Arena arena(arena_size);
  Record record(table);
  const Outcome outcome = MakeJsonDecoder(table, unmentioned)->Decode(padded.view(), arena, record);
  if (!outcome.ok()) return outcome.reason();
  std::string out;
  if (!MakeJsonEncoder()->Encode(record, out).ok()) return "not encoded";
  return out;
}

}  // namespace runnel::codec_test
