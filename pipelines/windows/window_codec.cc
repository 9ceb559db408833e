// The parts of WindowRun and WindowPlan that turn keys and state into bytes and back.
#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/base/hash.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

enum KeyTag : char {
  kBoolTag = 'b',
  kIntTag = 'i',
  kUintTag = 'u',
  kDoubleTag = 'd',
  kTextTag = 's'
};

void AppendFixed(std::string& out, char tag, std::uint64_t bits) {
  char bytes[9];
  bytes[0] = tag;
  std::memcpy(bytes + 1, &bits, sizeof bits);
  out.append(bytes, sizeof bytes);
}

// 1 and 1.0 are one key, and not "1".
const char* AppendKeyPart(const Value& value, std::string& out) {
  switch (value.type()) {
    case Type::kString: {
      const std::string_view text = value.AsString();
      char head[5];
      head[0] = kTextTag;
      const auto size = static_cast<std::uint32_t>(text.size());
      std::memcpy(head + 1, &size, sizeof size);
      out.append(head, sizeof head).append(text);
      return nullptr;
    }
    case Type::kInt:
      AppendFixed(out, kIntTag, static_cast<std::uint64_t>(value.AsInt()));
      return nullptr;
    case Type::kUint:
      AppendFixed(out, value.AsUint() > INT64_MAX ? kUintTag : kIntTag, value.AsUint());
      return nullptr;
    case Type::kDouble: {
      const double number = value.AsDouble();
      if (std::isnan(number)) return "key_is_nan";
      if (number == std::floor(number) && std::fabs(number) < 9.0e18) {
        AppendFixed(out, kIntTag, static_cast<std::uint64_t>(static_cast<std::int64_t>(number)));
      } else {
        AppendFixed(out, kDoubleTag, std::bit_cast<std::uint64_t>(number));
      }
      return nullptr;
    }
    case Type::kBool:
      AppendFixed(out, kBoolTag, value.AsBool() ? 1 : 0);
      return nullptr;
    case Type::kNull:
      return "key_is_null";
    case Type::kMissing:
      return "key_is_missing";
    case Type::kError:
      return std::strcmp(value.Reason(), "no_such_field") == 0 ? "key_is_missing" : value.Reason();
    default:
      return "key_is_not_a_scalar";
  }
}

// The next part of an encoded key, which this program has made.
Value TakeKeyPart(std::string_view& key) {
  const char tag = key[0];
  key.remove_prefix(1);
  if (tag == kTextTag) {
    std::uint32_t size;
    std::memcpy(&size, key.data(), sizeof size);
    const Value value = Value::String(key.substr(sizeof size, size));
    key.remove_prefix(sizeof size + size);
    return value;
  }
  std::uint64_t bits;
  std::memcpy(&bits, key.data(), sizeof bits);
  key.remove_prefix(sizeof bits);
  switch (tag) {
    case kBoolTag:
      return Value::Bool(bits != 0);
    case kUintTag:
      return Value::Uint(bits);
    case kDoubleTag:
      return Value::Double(std::bit_cast<double>(bits));
    default:
      return Value::Int(static_cast<std::int64_t>(bits));
  }
}

}  // namespace

const char* EncodeKey(const WindowPlan& plan, const Record& record, Arena& arena,
                      std::string& key) {
  for (const KeyPart& part : plan.key) {
    const int field = part.expression->AsField();
    const Value value = field >= 0 ? record.Get(static_cast<std::uint16_t>(field))
                                   : part.expression->Evaluate(record, arena);
    if (const char* reason = AppendKeyPart(value, key)) return reason;
  }
  return nullptr;
}

void WindowRun::Fill(const KeyEntry& key, const Window& window, Record& out, Arena& arena,
                     Filling filling, bool partial) {
  std::string_view rest = key.Key();
  for (const KeyPart& part : plan_->key) {
    Value value = TakeKeyPart(rest);
    // The entry may be gone before the result is encoded.
    if (value.type() == Type::kString) {
      const std::string_view copy = arena.Copy(value.AsString());
      value = copy.data() == nullptr ? Value::Null() : Value::String(copy);
    }
    out.Set(part.result_field, value);
  }
  if (filling == Filling::kResult) {
    const auto* states = reinterpret_cast<const std::byte*>(&window + 1);
    for (const AggregateColumn& column : plan_->columns) {
      out.Set(column.result_field, column.aggregate->Result(states + column.offset, *region_));
    }
  }
  const std::int64_t end = plan_->tumbling.EndOf(window.start);
  out.Set(plan_->start_field, Value::Int(Milliseconds(TimeFromMicroseconds(window.start))));
  out.Set(plan_->end_field, Value::Int(Milliseconds(TimeFromMicroseconds(end))));
  if (partial) out.Set(plan_->partial_field, Value::Bool(true));
  out.time = TimeFromMicroseconds(end);
  out.arrival = out.time;
}

// Both lists in their order, so that Load makes the same table.
void WindowRun::Save(ByteWriter& writer) const {
  writer.String(plan_->mark);
  writer.Signed(root().now);
  writer.Signed(root().idle_base);
  writer.Signed(root().evicted_watermark);
  writer.U8(static_cast<std::uint8_t>(root().flags));
  for (const KeyTable::List list : {KeyTable::List::kClosed, KeyTable::List::kOpen}) {
    std::uint64_t count = 0;
    for (Ref ref = keys_.First(list); ref != StateRegion::kNone; ref = keys_.Get(ref)->next)
      ++count;
    writer.Varint(count);
    for (Ref ref = keys_.First(list); ref != StateRegion::kNone; ref = keys_.Get(ref)->next) {
      SaveKey(*keys_.Get(ref), writer);
    }
  }
  for (const Ref special : {root().watermark_key, root().evicted_key}) {
    writer.String(special == StateRegion::kNone ? std::string_view() : keys_.Get(special)->Key());
    writer.U8(special == StateRegion::kNone ? 0 : 1);
  }
}

void WindowRun::SaveKey(const KeyEntry& key, ByteWriter& writer) const {
  writer.String(key.Key());
  writer.Signed(key.time_max);
  writer.Signed(key.closed_until);
  writer.Signed(key.last_arrival);
  writer.Signed(key.listed);
  writer.Varint(key.windows_open);
  for (Ref ref = key.windows; ref != StateRegion::kNone; ref = region_->Get<Window>(ref)->next) {
    const auto& window = *region_->Get<Window>(ref);
    writer.Signed(window.start);
    const auto* states = reinterpret_cast<const std::byte*>(&window + 1);
    for (const AggregateColumn& column : plan_->columns) {
      column.aggregate->Save(states + column.offset, *region_, writer);
    }
  }
}

Status WindowRun::Load(ByteReader& reader) {
  if (reader.String() != plan_->mark) {
    return Error{ErrorKind::kFix, "the key, the window or the aggregates are not the same"};
  }
  Root* state = ChangeRoot();
  state->now = reader.Signed();
  state->idle_base = reader.Signed();
  state->evicted_watermark = reader.Signed();
  state->flags = reader.U8();
  for (int list = 0; list < 2; ++list) {
    const std::uint64_t count = reader.Varint();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
      if (!LoadKey(reader)) return Error{ErrorKind::kGiveUp, "a saved window does not fit"};
    }
  }
  Ref special[2] = {};
  for (Ref& ref : special) {
    const std::string_view key = reader.String();
    if (reader.U8() != 0) ref = keys_.Find(key, Hash(key));
  }
  state->watermark_key = special[0];
  state->evicted_key = special[1];
  return reader.ok() ? Status() : Error{ErrorKind::kGiveUp, "a saved window is cut off"};
}

bool WindowRun::LoadKey(ByteReader& reader) {
  const std::string_view bytes = reader.String();
  const std::uint64_t hash = Hash(bytes);
  if (!reader.ok() || keys_.Find(bytes, hash) != StateRegion::kNone) return false;
  const Ref key_ref = keys_.Insert(bytes, hash);
  if (key_ref == StateRegion::kNone) return false;
  KeyEntry* key = keys_.Get(key_ref);
  key->time_max = reader.Signed();
  key->closed_until = reader.Signed();
  key->last_arrival = reader.Signed();
  const std::int64_t listed = reader.Signed();
  const std::uint64_t windows = reader.Varint();
  for (std::uint64_t i = 0; i < windows && reader.ok(); ++i) {
    const char* refusal = nullptr;
    const std::int64_t start = plan_->tumbling.StartOf(reader.Signed());
    const Ref ref = FindOrAddWindow(key_ref, start, start, refusal);
    if (ref == StateRegion::kNone) return false;
    auto* states = reinterpret_cast<std::byte*>(region_->Get<Window>(ref) + 1);
    for (const AggregateColumn& column : plan_->columns) {
      column.aggregate->Load(states + column.offset, *region_, reader);
    }
  }
  const bool open = keys_.Get(key_ref)->windows_open > 0;
  keys_.MoveTo(key_ref, open ? KeyTable::List::kOpen : KeyTable::List::kClosed, listed);
  return true;
}

}  // namespace runnel
