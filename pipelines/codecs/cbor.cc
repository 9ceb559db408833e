// cbor: Concise Binary Object Representation (RFC 8949): a map with text keys is a record;
// a sequence of them (RFC 8742) is several.
//
// Tags 0 and 1 are times, other tags are passed over. Half, single and double floats are
// doubles. Nesting, sizes and duplicate keys are checked before anything is made of them.
// Encoding is deterministic: shortest forms, definite lengths (section 4.2), in the order
// of the record.
#include "pipelines/codecs/cbor_reader.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/fields.h"

namespace runnel {
namespace {

class CborDecoder final : public Decoder {
 public:
  CborDecoder(const FieldTable& table, Unmentioned unmentioned) : fields_(table, unmentioned) {}

  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override {
    if (payload.empty()) return End(cursor, "cbor_no_records");
    CborReader reader(payload, cursor.at, arena);
    Value map;
    if (!reader.Read(map, 0)) return End(cursor, reader.reason());
    cursor.at = reader.at() == payload.size() ? DecodeCursor::kEnd : reader.at();
    if (map.type() != Type::kMap) return Outcome::Failed("cbor_not_a_map");
    for (const MapEntry& entry : map.AsMap()) {
      if (entry.key.type() != Type::kString) return Outcome::Failed("cbor_key_is_no_text");
      if (!fields_.Put(entry.key.AsString(), entry.value, record)) {
        return Outcome::Failed("cbor_duplicate_key");
      }
    }
    return Outcome::Done();
  }

 private:
  static Outcome End(DecodeCursor& cursor, const char* reason) {
    cursor.at = DecodeCursor::kEnd;
    return Outcome::Failed(reason);
  }
  FieldFiller fields_;
};

class CborEncoder final : public Encoder {
 public:
  Outcome Encode(const Record& record, std::string& out) override {
    Head(5, record.entries().size(), out);
    for (const Record::Entry& entry : record.entries()) {
      const std::string_view name = record.NameOf(entry);
      Head(3, name.size(), out);
      out += name;
      if (!Write(record.ValueOf(entry), out)) return Outcome::Failed("cbor_bad_value");
    }
    return Outcome::Done();
  }

 private:
  static void Head(unsigned major, std::uint64_t argument, std::string& out) {
    const auto first = [&](unsigned low) { out += static_cast<char>(major << 5 | low); };
    int bytes = 8;
    if (argument < 24) return first(static_cast<unsigned>(argument));
    if (argument <= 0xff) {
      first(24);
      bytes = 1;
    } else if (argument <= 0xffff) {
      first(25);
      bytes = 2;
    } else if (argument <= 0xffffffff) {
      first(26);
      bytes = 4;
    } else {
      first(27);
    }
    Bytes(argument, bytes, out);
  }
  static void Bytes(std::uint64_t bits, int bytes, std::string& out) {
    for (int i = bytes; i-- > 0;) out += static_cast<char>(bits >> (8 * i) & 0xff);
  }

  // The shortest float that is the same.
  static void Float(double number, std::string& out) {
    if (std::isnan(number)) {
      out += static_cast<char>(0xf9);
      return Bytes(0x7e00, 2, out);
    }
    const auto single = static_cast<float>(number);
    if (static_cast<double>(single) != number) {
      out += static_cast<char>(0xfb);
      return Bytes(std::bit_cast<std::uint64_t>(number), 8, out);
    }
    std::uint16_t half = 0;
    if (ToHalf(single, half)) {
      out += static_cast<char>(0xf9);
      return Bytes(half, 2, out);
    }
    out += static_cast<char>(0xfa);
    Bytes(std::bit_cast<std::uint32_t>(single), 4, out);
  }
  static bool ToHalf(float single, std::uint16_t& half) {
    const auto bits = std::bit_cast<std::uint32_t>(single);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
    const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127;
    const std::uint32_t mantissa = bits & 0x7fffff;
    if (exponent == 128 && mantissa == 0) {
      half = sign | 0x7c00;
    } else if (bits << 1 == 0) {
      half = sign;
    } else if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) == 0) {
      half = static_cast<std::uint16_t>(sign | static_cast<unsigned>(exponent + 15) << 10 |
                                        mantissa >> 13);
    } else if (exponent < -14 && exponent >= -24) {
      const std::uint32_t full = mantissa | 0x800000;
      const int shift = 13 + (-14 - exponent);
      if ((full & ((1U << shift) - 1)) != 0) return false;
      half = static_cast<std::uint16_t>(sign | full >> shift);
    } else {
      return false;
    }
    return true;
  }

  static bool Write(const Value& value, std::string& out) {
    switch (value.type()) {
      case Type::kNull:
        out += static_cast<char>(0xf6);
        return true;
      case Type::kBool:
        out += static_cast<char>(value.AsBool() ? 0xf5 : 0xf4);
        return true;
      case Type::kInt:
        if (value.AsInt() >= 0) {
          Head(0, value.AsUint(), out);
        } else {
          Head(1, static_cast<std::uint64_t>(-(value.AsInt() + 1)), out);
        }
        return true;
      case Type::kUint:
        Head(0, value.AsUint(), out);
        return true;
      case Type::kDouble:
        Float(value.AsDouble(), out);
        return true;
      case Type::kString:
      case Type::kBytes:
        Head(value.type() == Type::kString ? 3 : 2, value.AsString().size(), out);
        out += value.AsString();
        return true;
      case Type::kTimestamp:
        Head(6, 1, out);
        if (value.Nanoseconds() == 0) return Write(Value::Int(value.Seconds()), out);
        Float(static_cast<double>(value.Seconds()) + value.Nanoseconds() * 1e-9, out);
        return true;
      case Type::kDuration:
        Float(static_cast<double>(value.Seconds()) + value.Nanoseconds() * 1e-9, out);
        return true;
      case Type::kList:
        Head(4, value.AsList().size(), out);
        for (const Value& item : value.AsList()) {
          if (!Write(item, out)) return false;
        }
        return true;
      case Type::kMap:
        Head(5, value.AsMap().size(), out);
        for (const MapEntry& entry : value.AsMap()) {
          if (!Write(entry.key, out) || !Write(entry.value, out)) return false;
        }
        return true;
      default:
        return false;
    }
  }
};

class CborFormat final : public Format {
 public:
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<CborDecoder>(table, unmentioned);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override { return std::make_unique<CborEncoder>(); }
};

struct Options {
  static void Describe(Schema<Options>&) {}
};

std::unique_ptr<const Format> Compile(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  if (!Read<Options>(node, "cbor", diagnostics, &at).has_value()) return nullptr;
  return std::make_unique<CborFormat>();
}

}  // namespace

Codec codecs::cbor() {
  return {"cbor",
          "A CBOR map (RFC 8949) with text keys; a message may have several.",
          "a2 64 74656d70 f9 4d60 62 6f6b f5 (in hexadecimal)",
          R"({"temp":21.5,"ok":true})",
          Compile,
          nullptr};
}

}  // namespace runnel
