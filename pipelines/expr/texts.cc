// Functions of text.
#include <algorithm>
#include <cstring>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

std::int64_t CodePoints(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

Value Size(Arguments a, Arena&) {
  switch (a[0].type()) {
    case Type::kString:
      return Value::Int(CodePoints(a[0].AsString()));
    case Type::kBytes:
      return Value::Int(static_cast<std::int64_t>(a[0].AsBytes().size()));
    case Type::kList:
      return Value::Int(static_cast<std::int64_t>(a[0].AsList().size()));
    default:
      return Value::Int(static_cast<std::int64_t>(a[0].AsMap().size()));
  }
}

// memmem takes time linear in the text whatever the part; find() does not.
Value Contains(Arguments a, Arena&) {
  const std::string_view text = a[0].AsString();
  const std::string_view part = a[1].AsString();
  if (part.empty()) return Value::Bool(true);
  return Value::Bool(memmem(text.data(), text.size(), part.data(), part.size()) != nullptr);
}
Value StartsWith(Arguments a, Arena&) {
  return Value::Bool(a[0].AsString().starts_with(a[1].AsString()));
}
Value EndsWith(Arguments a, Arena&) {
  return Value::Bool(a[0].AsString().ends_with(a[1].AsString()));
}

// The letters from `first` to `last` moved by `distance`.
Value MoveLetters(std::string_view text, Arena& arena, char first, char last, int distance) {
  char* const out = arena.AllocateArray<char>(text.size());
  if (out == nullptr) return Value::Error(kOutOfMemory);
  std::transform(text.begin(), text.end(), out, [&](char c) {
    return c >= first && c <= last ? static_cast<char>(c + distance) : c;
  });
  return Value::String({out, text.size()});
}
Value LowerAscii(Arguments a, Arena& arena) {
  return MoveLetters(a[0].AsString(), arena, 'A', 'Z', 'a' - 'A');
}
Value UpperAscii(Arguments a, Arena& arena) {
  return MoveLetters(a[0].AsString(), arena, 'a', 'z', 'A' - 'a');
}

// The characters of Unicode's property White_Space, in UTF-8.
constexpr std::string_view kBlanks[] = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u0085", "\u00a0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

Value Trim(Arguments a, Arena&) {
  std::string_view text = a[0].AsString();
  const auto cut = [&text](bool front) {
    for (const std::string_view blank : kBlanks) {
      if (front ? !text.starts_with(blank) : !text.ends_with(blank)) continue;
      front ? text.remove_prefix(blank.size()) : text.remove_suffix(blank.size());
      return true;
    }
    return false;
  };
  while (cut(true)) {
  }
  while (cut(false)) {
  }
  return Value::String(text);
}

using enum Function::Style;
constexpr Types kSized = {Type::kString, Type::kBytes, Type::kList, Type::kMap};
constexpr std::array<Types, 3> kTexts = {kTextType, kTextType, kTextType};

constexpr Function kTable[] = {
    {"contains", kReceiver, 2, 2, kTexts, Type::kBool, Contains, "text.contains(part)",
     "Whether the part stands in the text."},
    {"endsWith", kReceiver, 2, 2, kTexts, Type::kBool, EndsWith, "text.endsWith(part)",
     "Whether the text ends with the part."},
    {"lowerAscii", kReceiver, 1, 1, kTexts, Type::kString, LowerAscii, "text.lowerAscii()",
     "The text with A to Z as a to z."},
    {"size",
     kBoth,
     1,
     1,
     {kSized},
     Type::kInt,
     Size,
     "size(value)",
     "How many characters a text has, or bytes, or a list or map entries."},
    {"startsWith", kReceiver, 2, 2, kTexts, Type::kBool, StartsWith, "text.startsWith(part)",
     "Whether the text begins with the part."},
    {"trim", kReceiver, 1, 1, kTexts, Type::kString, Trim, "text.trim()",
     "The text without blanks at both ends."},
    {"upperAscii", kReceiver, 1, 1, kTexts, Type::kString, UpperAscii, "text.upperAscii()",
     "The text with a to z as A to Z."},
};

}  // namespace

std::span<const Function> TextFunctions() { return kTable; }

}  // namespace runnel::expr
