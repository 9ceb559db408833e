#include "pipelines/operators/key.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

enum KeyTag : char {
  kBoolTag = 'b',
  kIntTag = 'i',
  kUintTag = 'u',
  kDoubleTag = 'd',
  // and KeyPlan::kTextTag
};

void AppendFixed(KeyBuffer& out, char tag, std::uint64_t bits) {
  char* const at = out.Extend(1 + sizeof bits);
  *at = tag;
  std::memcpy(at + 1, &bits, sizeof bits);
}

// 1 and 1.0 are one key, and not "1".
const char* AppendOther(const Value& value, KeyBuffer& out) {
  switch (value.type()) {
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

}  // namespace

void KeyBuffer::Grow(std::size_t bytes) {
  const std::size_t capacity = 2 * (size_ + bytes);
  auto grown = std::make_unique<char[]>(capacity);
  std::memcpy(grown.get(), bytes_.get(), size_);
  bytes_ = std::move(grown);
  capacity_ = capacity;
}

// The name of a device has 8 to 16 bytes in most systems.
inline void CopyText(char* to, std::string_view text) {
  const std::size_t size = text.size();
  if (size < 8 || size > 16) {
    text.copy(to, size);
    return;
  }
  char both[16];
  std::memcpy(both, text.data(), 8);
  std::memcpy(both + 8, text.data() + size - 8, 8);
  std::memcpy(to, both, 8);
  std::memcpy(to + size - 8, both + 8, 8);
}

void KeyPlan::AppendText(std::string_view text, KeyBuffer& key) {
  const auto size = static_cast<std::uint32_t>(text.size());
  char* const at = key.Extend(kTextHead + text.size());
  *at = kTextTag;
  std::memcpy(at + 1, &size, sizeof size);
  CopyText(at + kTextHead, text);
}

Value KeyPlan::TakePart(std::string_view& key) {
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

const char* KeyPlan::Encode(const Record& record, Arena& arena, KeyBuffer& key) const {
  for (const KeyPart& part : parts) {
    const int field = part.expression->AsField();
    const Value value = field >= 0 ? record.Get(static_cast<std::uint16_t>(field))
                                   : part.expression->Evaluate(record, arena);
    if (value.type() == Type::kString) [[likely]] {
      AppendText(value.AsString(), key);
    } else if (const char* reason = AppendOther(value, key)) {
      return reason;
    }
  }
  return nullptr;
}

Result<std::uint64_t> KeyPlan::Hash(const Record& record, Arena& arena) const {
  KeyBuffer key;
  if (const char* reason = Encode(record, arena, key)) return Error{ErrorKind::kFix, reason};
  return runnel::Hash(key.bytes());
}

bool KeyPlan::Compile(const StepContext& context, const Node& node) {
  if (node.kind == Node::Kind::kNull) return true;
  bool ok = true;
  const auto add = [&](const Node& item) {
    if (!item.IsScalar()) {
      context.diagnostics.Error(item.position,
                                "`key` is a field, an expression or a list of them, found " +
                                    std::string(item.KindName()));
      ok = false;
      return;
    }
    KeyPart part;
    part.text = item.text;
    part.expression = CompileExpression(context, item.text, item.position);
    if (part.expression == nullptr) {
      ok = false;
      return;
    }
    const int field = part.expression->AsField();
    part.name = field >= 0 ? std::string(context.fields->name(static_cast<std::uint16_t>(field)))
                           : (parts.empty() ? "key" : "key" + std::to_string(parts.size() + 1));
    parts.push_back(std::move(part));
  };
  if (node.IsSequence()) {
    for (const Node& item : node.items) add(item);
  } else {
    add(node);
  }
  return ok;
}

std::vector<std::string> KeyPlan::Texts() const {
  std::vector<std::string> texts;
  for (const KeyPart& part : parts) texts.push_back(part.text);
  return texts;
}

std::string KeyPlan::Explain() const {
  if (parts.empty()) return "no key";
  std::string text = "key ";
  for (const KeyPart& part : parts) text += (text.size() > 4 ? ", " : "") + part.text;
  return text;
}

}  // namespace runnel
