// CEL's extension of text functions. Places count characters (code points).
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr const char* kRange = "index_out_of_range";

bool Begins(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::int64_t Count(std::string_view text) {
  return std::count_if(text.begin(), text.end(), Begins);
}

// The byte at which character `index` begins; the size for the one behind the last.
std::size_t ByteOf(std::string_view text, std::int64_t index) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (Begins(text[at]) && index-- == 0) return at;
  }
  return at;
}

Value Text(std::string_view text, Arena& arena) {
  const std::string_view copy = arena.Copy(text);
  return copy.data() == nullptr ? Value::Error(kOutOfMemory) : Value::String(copy);
}

Value CharAt(Arguments a, Arena&) {
  const std::string_view text = a[0].AsString();
  const std::int64_t size = Count(text);
  const std::int64_t index = a[1].AsInt();
  if (index < 0 || index > size) return Value::Error(kRange);
  const std::size_t begin = ByteOf(text, index);
  return Value::String(text.substr(begin, ByteOf(text, index + 1) - begin));
}

Value IndexOf(Arguments a, Arena&) {
  const std::string_view text = a[0].AsString();
  const std::int64_t from = a.size() > 2 ? a[2].AsInt() : 0;
  if (from < 0 || from > Count(text)) return Value::Error(kRange);
  const std::size_t begin = ByteOf(text, from);
  const std::string_view part = a[1].AsString();
  if (part.empty()) return Value::Int(from);
  const void* found = memmem(text.data() + begin, text.size() - begin, part.data(), part.size());
  if (found == nullptr) return Value::Int(-1);
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  return Value::Int(Count(text.substr(0, at)));
}

Value LastIndexOf(Arguments a, Arena&) {
  const std::string_view text = a[0].AsString();
  const std::int64_t size = Count(text);
  const std::int64_t last = a.size() > 2 ? a[2].AsInt() : size;
  if (last < 0 || last > size) return Value::Error(kRange);
  const std::string_view part = a[1].AsString();
  if (part.empty()) return Value::Int(last);
  if (part.size() > text.size()) return Value::Int(-1);
  for (std::size_t at = std::min(ByteOf(text, last), text.size() - part.size()) + 1; at-- > 0;) {
    // The first byte decides in nearly every place.
    if (text[at] == part[0] && text.compare(at, part.size(), part) == 0) {
      return Value::Int(Count(text.substr(0, at)));
    }
  }
  return Value::Int(-1);
}

Value Replace(Arguments a, Arena& arena) {
  if (a[2].type() != Type::kString) return Value::Error(kNoOverload);
  const std::string_view text = a[0].AsString();
  const std::string_view old = a[1].AsString();
  std::int64_t limit = INT64_MAX;
  if (a.size() > 3) {
    if (a[3].type() != Type::kInt) return Value::Error(kNoOverload);
    if (a[3].AsInt() >= 0) limit = a[3].AsInt();
  }
  std::string out;
  std::size_t at = 0;
  while (limit > 0 && at <= text.size()) {
    std::size_t found = at;
    if (!old.empty()) {
      const void* place = memmem(text.data() + at, text.size() - at, old.data(), old.size());
      if (place == nullptr) break;
      found = static_cast<std::size_t>(static_cast<const char*>(place) - text.data());
    }
    out.append(text.substr(at, found - at)).append(a[2].AsString());
    if (out.size() > arena.capacity()) return Value::Error(kOutOfMemory);
    at = found + old.size();
    --limit;
    if (!old.empty()) continue;
    // Between all characters, and at both ends.
    if (at == text.size()) return Text(out, arena);
    const std::size_t next = ByteOf(text.substr(at), 1);
    out.append(text.substr(at, next));
    at += next;
  }
  out.append(text.substr(std::min(at, text.size())));
  return Text(out, arena);
}

Value List(const std::vector<Value>& items, Arena& arena) {
  auto* copy = arena.AllocateArray<Value>(items.size());
  if (copy == nullptr) return Value::Error(kOutOfMemory);
  std::copy(items.begin(), items.end(), copy);
  return Value::List({copy, items.size()});
}

Value Split(Arguments a, Arena& arena) {
  std::string_view text = a[0].AsString();
  const std::string_view separator = a[1].AsString();
  std::int64_t limit = a.size() > 2 ? a[2].AsInt() : -1;
  std::vector<Value> parts;
  if (limit == 0) return List(parts, arena);
  while (limit < 0 || limit > 1) {
    std::size_t size = 0;
    if (separator.empty()) {
      if (text.empty()) break;
      size = ByteOf(text, 1);
      if (size == text.size()) break;
    } else {
      const void* place = memmem(text.data(), text.size(), separator.data(), separator.size());
      if (place == nullptr) break;
      size = static_cast<std::size_t>(static_cast<const char*>(place) - text.data());
    }
    parts.push_back(Value::String(text.substr(0, size)));
    if (parts.size() * sizeof(Value) > arena.capacity()) return Value::Error(kOutOfMemory);
    text.remove_prefix(size + separator.size());
    if (limit > 0) --limit;
  }
  if (!(separator.empty() && text.empty())) parts.push_back(Value::String(text));
  return List(parts, arena);
}

Value Join(Arguments a, Arena& arena) {
  std::string out;
  const std::span<const Value> items = a[0].AsList();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].type() != Type::kString) return Value::Error(kNoOverload);
    if (i > 0 && a.size() > 1) out += a[1].AsString();
    out += items[i].AsString();
    if (out.size() > arena.capacity()) return Value::Error(kOutOfMemory);
  }
  return Text(out, arena);
}

Value Substring(Arguments a, Arena&) {
  const std::string_view text = a[0].AsString();
  const std::int64_t size = Count(text);
  const std::int64_t begin = a[1].AsInt();
  const std::int64_t end = a.size() > 2 ? a[2].AsInt() : size;
  if (begin < 0 || end > size || begin > end) return Value::Error(kRange);
  const std::size_t first = ByteOf(text, begin);
  return Value::String(text.substr(first, ByteOf(text, end) - first));
}

Value Quote(Arguments a, Arena& arena) {
  std::string out = "\"";
  for (const char c : a[0].AsString()) {
    constexpr std::string_view kPlain = "\a\b\f\n\r\t\v\\\"";
    constexpr std::string_view kEscaped = "abfnrtv\\\"";
    const std::size_t special = kPlain.find(c);
    if (special != std::string_view::npos) {
      out += '\\';
      out += kEscaped[special];
    } else {
      out += c;
    }
  }
  return Text(out + "\"", arena);
}

// Also of a list.
Value Reverse(Arguments a, Arena& arena) {
  if (a[0].type() == Type::kList) {
    const std::span<const Value> items = a[0].AsList();
    return List({items.rbegin(), items.rend()}, arena);
  }
  const std::string_view text = a[0].AsString();
  std::string out;
  for (std::size_t end = text.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && !Begins(text[begin])) --begin;
    out += text.substr(begin, end - begin);
    end = begin;
  }
  return Text(out, arena);
}

// Lists.

Value Range(Arguments a, Arena& arena) {
  const std::int64_t count = a[0].AsInt();
  if (count < 0 || static_cast<std::uint64_t>(count) > arena.capacity() / sizeof(Value)) {
    return Value::Error(count < 0 ? "range_error" : kOutOfMemory);
  }
  auto* items = arena.AllocateArray<Value>(static_cast<std::size_t>(count));
  if (items == nullptr) return Value::Error(kOutOfMemory);
  for (std::int64_t i = 0; i < count; ++i) items[i] = Value::Int(i);
  return Value::List({items, static_cast<std::size_t>(count)});
}

Value Slice(Arguments a, Arena&) {
  const std::span<const Value> items = a[0].AsList();
  const std::int64_t begin = a[1].AsInt();
  const std::int64_t end = a[2].AsInt();
  if (begin < 0 || end > static_cast<std::int64_t>(items.size()) || begin > end) {
    return Value::Error(kRange);
  }
  return Value::List(
      items.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

bool FlattenInto(std::span<const Value> items, std::int64_t depth, std::size_t most,
                 std::vector<Value>& out) {
  for (const Value& item : items) {
    if (item.type() == Type::kList && depth > 0) {
      if (!FlattenInto(item.AsList(), depth - 1, most, out)) return false;
    } else {
      out.push_back(item);
    }
    if (out.size() > most) return false;
  }
  return true;
}
Value Flatten(Arguments a, Arena& arena) {
  const std::int64_t depth = a.size() > 1 ? a[1].AsInt() : 1;
  if (depth < 0) return Value::Error("range_error");
  std::vector<Value> out;
  if (!FlattenInto(a[0].AsList(), depth, arena.capacity() / sizeof(Value), out)) {
    return Value::Error(kOutOfMemory);
  }
  return List(out, arena);
}

constexpr std::size_t kComparedMax = 256;  // squared: comparisons

Value Distinct(Arguments a, Arena& arena) {
  const std::span<const Value> items = a[0].AsList();
  if (items.size() > kComparedMax) return Value::Error("list_too_long");
  std::vector<Value> out;
  for (const Value& item : items) {
    const bool there =
        std::any_of(out.begin(), out.end(), [&](const Value& other) { return Equal(item, other); });
    if (!there) out.push_back(item);
  }
  return List(out, arena);
}

Value Sort(Arguments a, Arena& arena) {
  std::vector<Value> out(a[0].AsList().begin(), a[0].AsList().end());
  for (const Value& item : out) {
    // Of one kind, with an order.
    if (Compare(item, out[0]) == Order::kNone || Compare(item, item) == Order::kNone) {
      return Value::Error(kNoOverload);
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Value& x, const Value& y) { return Compare(x, y) == Order::kLess; });
  return List(out, arena);
}

// An int as long as all are ints and it fits.
Value Sum(Arguments a, Arena&) {
  std::int64_t whole = 0;
  double real = 0;
  bool exact = true;
  for (const Value& item : a[0].AsList()) {
    if (!item.IsNumber()) return Value::Error(kNoOverload);
    real += item.ToDouble();
    exact =
        exact && item.type() == Type::kInt && !__builtin_add_overflow(whole, item.AsInt(), &whole);
  }
  return exact ? Value::Int(whole) : Value::Double(real);
}

using enum Function::Style;
constexpr std::array<Types, 3> kTextAndInt = {kTextType, kIntType, kIntType};
constexpr std::array<Types, 3> kTwoTextsAndInt = {kTextType, kTextType, kIntType};
constexpr Types kTextOrInt = {Type::kString, Type::kInt};
constexpr std::array<Types, 3> kTexts = {kTextType, kTextType, kTextType};
constexpr std::array<Types, 3> kTextsAndAny = {kTextType, kTextType, kTextOrInt};
constexpr std::array<Types, 3> kListAndInts = {kListType, kIntType, kIntType};
constexpr std::array<Types, 3> kListAndText = {kListType, kTextType, kTextType};
constexpr Types kTextOrList = {Type::kString, Type::kList};

constexpr Function kTable[] = {
    {"charAt", kReceiver, 2, 2, kTextAndInt, Type::kString, CharAt, "text.charAt(index)",
     "The character at a place, from 0."},
    {"distinct", kReceiver, 1, 1, kListAndInts, Type::kList, Distinct, "list.distinct()",
     "The items without those that are equal to an earlier one; of at most 256."},
    {"flatten", kReceiver, 1, 2, kListAndInts, Type::kList, Flatten, "list.flatten(depth)",
     "The items of the lists in it, so deep (1 without it)."},
    {"indexOf", kReceiver, 2, 3, kTwoTextsAndInt, Type::kInt, IndexOf, "text.indexOf(part, from)",
     "Where the part first stands, or -1."},
    {"join", kReceiver, 1, 2, kListAndText, Type::kString, Join, "list.join(separator)",
     "The texts of a list in one."},
    {"lastIndexOf", kReceiver, 2, 3, kTwoTextsAndInt, Type::kInt, LastIndexOf,
     "text.lastIndexOf(part, from)", "Where the part last stands, or -1."},
    {"lists.range",
     kGlobal,
     1,
     1,
     {kIntType, kIntType, kIntType},
     Type::kList,
     Range,
     "lists.range(n)",
     "The numbers from 0 to n - 1."},
    {"replace", kReceiver, 3, 4, kTextsAndAny, Type::kString, Replace,
     "text.replace(old, new, limit)", "The text with all parts replaced, or so many."},
    {"reverse",
     kReceiver,
     1,
     1,
     {kTextOrList, kTextOrList, kTextOrList},
     Type::kMissing,
     Reverse,
     "value.reverse()",
     "A text or a list from its end."},
    {"slice", kReceiver, 3, 3, kListAndInts, Type::kList, Slice, "list.slice(begin, end)",
     "The items from one place to another, which is not in it."},
    {"sort", kReceiver, 1, 1, kListAndInts, Type::kList, Sort, "list.sort()",
     "The items in their order; all of one kind."},
    {"split", kReceiver, 2, 3, kTwoTextsAndInt, Type::kList, Split, "text.split(separator, limit)",
     "The parts between separators, at most so many."},
    {"strings.quote", kGlobal, 1, 1, kTexts, Type::kString, Quote, "strings.quote(text)",
     "The text in quotes, with escapes."},
    {"substring", kReceiver, 2, 3, kTextAndInt, Type::kString, Substring,
     "text.substring(begin, end)", "The characters from one place to another, which is not in it."},
    {"sum", kReceiver, 1, 1, kListAndInts, Type::kMissing, Sum, "list.sum()",
     "The sum of the numbers of a list."},
};

}  // namespace

std::span<const Function> StringFunctions() { return kTable; }

}  // namespace runnel::expr
