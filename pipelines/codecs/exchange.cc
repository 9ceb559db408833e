#include "pipelines/codecs/exchange.h"

#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

// Numbers of the format, not of the enum in memory.
enum Tag : std::uint8_t {
  kNull = 0,
  kFalse = 1,
  kTrue = 2,
  kInt = 3,
  kUint = 4,
  kDouble = 5,
  kString = 6,
  kBytes = 7,
  kList = 8,
  kMap = 9,
  kTimestamp = 10,
  kDuration = 11,
  kType = 12,
};
constexpr std::uint64_t kUnknownField = 0;  // a name follows; else the number plus one

bool Write(const Value& value, int depth, ByteWriter& out);

bool WriteList(const Value& value, int depth, ByteWriter& out) {
  if (depth == kExchangeDepthMax) return false;
  out.U8(kList);
  out.Varint(value.AsList().size());
  for (const Value& item : value.AsList()) {
    if (!Write(item, depth + 1, out)) return false;
  }
  return true;
}

bool WriteMap(const Value& value, int depth, ByteWriter& out) {
  if (depth == kExchangeDepthMax) return false;
  out.U8(kMap);
  out.Varint(value.AsMap().size());
  for (const MapEntry& entry : value.AsMap()) {
    if (!Write(entry.key, depth + 1, out) || !Write(entry.value, depth + 1, out)) return false;
  }
  return true;
}

void WriteTime(Tag tag, const Value& value, ByteWriter& out) {
  out.U8(tag);
  out.Signed(value.Seconds());
  out.Signed(value.Nanoseconds());
}

bool Write(const Value& value, int depth, ByteWriter& out) {
  switch (value.type()) {
    case Type::kNull:
      out.U8(kNull);
      return true;
    case Type::kBool:
      out.U8(value.AsBool() ? kTrue : kFalse);
      return true;
    case Type::kInt:
      out.U8(kInt);
      out.Signed(value.AsInt());
      return true;
    case Type::kUint:
      out.U8(kUint);
      out.Varint(value.AsUint());
      return true;
    case Type::kDouble:
      out.U8(kDouble);
      out.F64(value.AsDouble());
      return true;
    case Type::kString:
      out.U8(kString);
      out.String(value.AsString());
      return true;
    case Type::kBytes:
      out.U8(kBytes);
      out.String(value.AsBytes());
      return true;
    case Type::kList:
      return WriteList(value, depth, out);
    case Type::kMap:
      return WriteMap(value, depth, out);
    case Type::kTimestamp:
      WriteTime(kTimestamp, value, out);
      return true;
    case Type::kDuration:
      WriteTime(kDuration, value, out);
      return true;
    case Type::kType:
      out.U8(kType);
      out.U8(static_cast<std::uint8_t>(value.AsType()));
      return true;
    case Type::kMissing:
    case Type::kError:
      break;
  }
  return false;
}

// Reads one value; missing when the bytes are not one.
class ValueReader final {
 public:
  ValueReader(ByteReader& reader, Arena& arena) : reader_(reader), arena_(arena) {}

  Value Read(int depth) {
    switch (reader_.U8()) {
      case kNull:
        return reader_.ok() ? Value::Null() : Value();
      case kFalse:
        return Value::Bool(false);
      case kTrue:
        return Value::Bool(true);
      case kInt:
        return Value::Int(reader_.Signed());
      case kUint:
        return Value::Uint(reader_.Varint());
      case kDouble:
        return Value::Double(reader_.F64());
      case kString:
        return ReadText();
      case kBytes:
        return Value::Bytes(reader_.String());
      case kList:
        return ReadList(depth);
      case kMap:
        return ReadMap(depth);
      case kTimestamp:
        return ReadTime(Type::kTimestamp);
      case kDuration:
        return ReadTime(Type::kDuration);
      case kType:
        return ReadType();
      default:
        return Value();
    }
  }

 private:
  Value ReadText() {
    const std::string_view text = reader_.String();
    return IsUtf8(text) ? Value::String(text) : Value();
  }
  Value ReadTime(Type type) {
    const std::int64_t seconds = reader_.Signed();
    const std::int64_t nanoseconds = reader_.Signed();
    constexpr std::int64_t kSecond = 1'000'000'000;
    if (nanoseconds <= -kSecond || nanoseconds >= kSecond) return Value();
    const auto part = static_cast<std::int32_t>(nanoseconds);
    if (type == Type::kTimestamp) {
      return nanoseconds < 0 ? Value() : Value::Timestamp(seconds, part);
    }
    const bool mixed = (seconds < 0 && nanoseconds > 0) || (seconds > 0 && nanoseconds < 0);
    return mixed ? Value() : Value::Duration(seconds, part);
  }
  Value ReadType() {
    const std::uint8_t type = reader_.U8();
    return type > static_cast<std::uint8_t>(Type::kError) ? Value()
                                                          : Value::OfType(static_cast<Type>(type));
  }
  Value ReadList(int depth) {
    const std::uint64_t count = reader_.Varint();
    // Each item takes a byte at least.
    if (depth == kExchangeDepthMax || count > reader_.remaining()) return Value();
    Value* const items = arena_.AllocateArray<Value>(count);
    if (items == nullptr) return Value();
    for (std::uint64_t i = 0; i < count; ++i) {
      items[i] = Read(depth + 1);
      if (items[i].IsMissing()) return Value();
    }
    return Value::List({items, count});
  }
  Value ReadMap(int depth) {
    const std::uint64_t count = reader_.Varint();
    if (depth == kExchangeDepthMax || count > reader_.remaining() / 2) return Value();
    MapEntry* const entries = arena_.AllocateArray<MapEntry>(count);
    if (entries == nullptr) return Value();
    for (std::uint64_t i = 0; i < count; ++i) {
      entries[i].key = Read(depth + 1);
      if (!IsKey(entries[i].key)) return Value();
      entries[i].value = Read(depth + 1);
      if (entries[i].value.IsMissing()) return Value();
    }
    return Value::Map({entries, count});
  }
  static bool IsKey(const Value& value) {
    return value.type() == Type::kString || value.type() == Type::kBool ||
           value.type() == Type::kInt || value.type() == Type::kUint;
  }

  ByteReader& reader_;
  Arena& arena_;
};

std::uint32_t Digest(const FieldTable& table) {
  const std::uint64_t digest = table.Digest();
  return static_cast<std::uint32_t>(digest ^ digest >> 32);
}

std::int64_t Difference(Time a, Time b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(Microseconds(a)) -
                                   static_cast<std::uint64_t>(Microseconds(b)));
}

std::int64_t Sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

ExchangeEncoder::ExchangeEncoder(const FieldTable& table) : digest_(Digest(table)) {}

Outcome ExchangeEncoder::Encode(const Record& record, std::string& out) {
  writer_.Clear();
  writer_.U32(digest_);
  writer_.Signed(Microseconds(record.arrival));
  writer_.Signed(Difference(record.time, record.arrival));
  writer_.String(record.topic);
  writer_.Varint(std::uint64_t{record.sink} << 1 | (record.is_result ? 1 : 0));
  writer_.Varint(record.entries().size());
  for (const Record::Entry& entry : record.entries()) {
    if (entry.field == Record::kUnknown) {
      writer_.Varint(kUnknownField);
      writer_.String(entry.name);
    } else {
      writer_.Varint(std::uint64_t{entry.field} + 1);
    }
    if (!Write(record.ValueOf(entry), 0, writer_)) return Outcome::Failed("exchange_bad_value");
  }
  out.append(writer_.bytes());
  return Outcome::Done();
}

ExchangeDecoder::ExchangeDecoder(const FieldTable& sender, const FieldTable& receiver,
                                 Unmentioned unmentioned)
    : sender_(&sender), receiver_(&receiver), unmentioned_(unmentioned), digest_(Digest(sender)) {
  for (std::size_t field = 0; field < sender.size(); ++field) {
    numbers_.push_back(receiver.Find(sender.name(static_cast<std::uint16_t>(field))));
  }
}

bool ExchangeDecoder::DecodeField(ByteReader& reader, Arena& arena, Record& record) const {
  const std::uint64_t tag = reader.Varint();
  std::string_view name;
  int field = -1;
  if (tag == kUnknownField) {
    name = reader.String();
    if (!reader.ok() || !IsUtf8(name)) return false;
    field = receiver_->Find(name);
  } else {
    if (tag > numbers_.size()) return false;
    field = numbers_[tag - 1];
    name = sender_->name(static_cast<std::uint16_t>(tag - 1));
  }
  const Value value = ValueReader(reader, arena).Read(0);
  if (!reader.ok() || value.IsMissing()) return false;
  if (field >= 0) {
    const auto number = static_cast<std::uint16_t>(field);
    if (!record.Get(number).IsMissing()) return false;
    record.Set(number, value);
  } else if (unmentioned_ == Unmentioned::kKeep) {
    record.Append(name, value);
  }
  return true;
}

bool ExchangeDecoder::IsResult(std::string_view bytes) {
  ByteReader reader(bytes);
  reader.U32();
  reader.Signed();
  reader.Signed();
  reader.String();
  return (reader.Varint() & 1) != 0;
}

Outcome ExchangeDecoder::Decode(std::string_view bytes, Arena& arena, Record& record) const {
  constexpr const char* kReason = "exchange_bad_record";
  ByteReader reader(bytes);
  if (reader.U32() != digest_) return Outcome::Failed("exchange_other_plan");
  const std::int64_t arrival = reader.Signed();
  record.arrival = TimeFromMicroseconds(arrival);
  record.time = TimeFromMicroseconds(Sum(arrival, reader.Signed()));
  record.topic = reader.String();
  const std::uint64_t sink = reader.Varint();
  record.is_result = (sink & 1) != 0;
  record.sink = static_cast<std::uint16_t>(sink >> 1);
  const std::uint64_t count = reader.Varint();
  if (!reader.ok() || count > reader.remaining()) return Outcome::Failed(kReason);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!DecodeField(reader, arena, record)) return Outcome::Failed(kReason);
  }
  return reader.AtEnd() ? Outcome::Done() : Outcome::Failed(kReason);
}

}  // namespace runnel
