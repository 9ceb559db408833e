#include "pipelines/batch/spread.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "pipelines/base/bytes.h"
#include "pipelines/base/scan.h"
#include "pipelines/plan/admission.h"

namespace runnel {
namespace {

// Of a value; only what an aggregate can take. The last two kinds have the number of bytes
// that follow in their lowest bits.
enum Tag : std::uint8_t {
  kMissing,
  kNull,
  kFalse,
  kTrue,
  kUint,
  kDouble,
  kText,
  kDecimal = 0x80,  // and 8 for each decimal, up to 7
  kInt = 0xc0,
};

// The head of a row: 4 bits for the bytes of its place, 1 whether the key is a text, 11 for
// the key's size.
constexpr unsigned kIsText = 1 << 4;
constexpr unsigned kSizeAt = 5;
constexpr std::size_t kLongKey = (1 << 11) - 1;  // the size follows

constexpr std::size_t kKeyAtOnce = 16;
// Of a row besides its key and texts: head and place, and of each value.
constexpr std::size_t kRowMost = 32;
constexpr std::size_t kValueMost = 16;
constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
constexpr double kWhole = 4503599627370496;  // 2^52: up to here each number is exact
constexpr std::uint32_t kUnfruitful = 256;

template <typename T>
char* Put(T value, char* at) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

// Bytes that the number needs.
unsigned BytesOf(std::uint64_t value) {
  return (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}
// A tag with the number of bytes in its lowest bits, and the number in as many; 8 are written.
char* PutTagged(unsigned tag, std::int64_t value, char* at) {
  const std::uint64_t number = ToZigzag(value);
  const unsigned bytes = BytesOf(number);
  *at = static_cast<char>(tag | bytes);
  Put(number, at + 1);
  return at + 1 + bytes;
}
// REQUIRES: size <= 8, and 8 readable bytes.
std::uint64_t TakeNumber(const char*& at, unsigned size) {
  static constexpr std::uint64_t kMasks[] = {0,
                                             0xff,
                                             0xffff,
                                             0xffffff,
                                             0xffffffff,
                                             0xffffffffff,
                                             0xffffffffffff,
                                             0xffffffffffffff,
                                             ~std::uint64_t{0}};
  const std::uint64_t number = scan::Load8(at) & kMasks[size];
  at += size;
  return number;
}

// Whether the value is a whole number divided by that power of ten, bit for bit.
bool IsDecimal(double value, std::size_t decimals, std::int64_t& whole) {
  const double scaled = value * kPowers[decimals];
  if (!(std::fabs(scaled) < kWhole)) return false;
  whole = static_cast<std::int64_t>(scaled + std::copysign(0.5, scaled));
  const double back = static_cast<double>(whole) / kPowers[decimals];
  return std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

// How many windows lie between two starts.
std::int64_t WindowsBetween(std::int64_t distance, std::int64_t every) {
  // Faster than a division of integers; right wherever the product says so.
  const double about = static_cast<double>(distance) / static_cast<double>(every);
  const auto windows = std::fabs(about) < kWhole ? static_cast<std::int64_t>(about) : 0;
  return windows * every == distance ? windows : distance / every;
}

// A key that KeyPlan::TakePart can read to its end.
bool IsEncodedKey(std::string_view key) {
  while (!key.empty()) {
    const char tag = key[0];
    key.remove_prefix(1);
    std::size_t size = 8;
    if (tag == 's') {
      std::uint32_t text = 0;
      if (key.size() < sizeof text) return false;
      std::memcpy(&text, key.data(), sizeof text);
      key.remove_prefix(sizeof text);
      size = text;
    } else if (tag != 'b' && tag != 'i' && tag != 'u' && tag != 'd') {
      return false;
    }
    if (size > key.size()) return false;
    key.remove_prefix(size);
  }
  return true;
}

std::size_t TextBytes(const Value* values, std::size_t count) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (values[i].type() == Type::kString) bytes += values[i].AsString().size();
  }
  return bytes;
}

}  // namespace

SpreadLayout::SpreadLayout(const WindowPlan& plan) : arguments_(plan.arguments.size()) {
  const bool uses_time =
      std::any_of(plan.columns.begin(), plan.columns.end(), [](const AggregateColumn& column) {
        return column.algebra == Algebra::kOrdered || column.aggregate->UsesTime();
      });
  if (uses_time || plan.grid.zone.has_value()) return;
  every_ = plan.grid.every;
  offset_ = plan.grid.offset;
}

void SpreadWriter::Grow(std::size_t room) {
  capacity_ = std::max(size_ + room, 2 * capacity_);
  auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
  if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
  memory_ = std::move(larger);
}

void SpreadWriter::Append(const SpreadLayout& layout, const SpreadRow& row, const Value* values) {
  const std::size_t count = layout.arguments();
  std::size_t room = row.key.size() + kRowMost + count * kValueMost;
  const bool usual = count == 1 && values[0].type() == Type::kDouble;
  if (!usual) room += TextBytes(values, count);
  if (capacity_ - size_ < room) [[unlikely]]
    Grow(room);
  char* at = memory_.get() + size_;
  char* const head = at;
  at += 2;
  const std::size_t size = row.key.size();
  if (size >= kLongKey) [[unlikely]]
    at = Put(static_cast<std::uint32_t>(size), at);
  if (row.is_text && size <= kKeyAtOnce) [[likely]] {
    std::memcpy(at, row.key.data(), kKeyAtOnce);
  } else if (size > 0) {
    std::memcpy(at, row.key.data(), size);
  }
  at += size;
  const std::int64_t place = layout.every() > 0 ? row.start - layout.offset() : row.time;
  const std::int64_t distance = place - std::exchange(last_, place);
  const std::uint64_t number =
      ToZigzag(layout.every() > 0 ? WindowsBetween(distance, layout.every()) : distance);
  const unsigned bytes = BytesOf(number);
  Put(number, at);
  at += bytes;
  Put(static_cast<std::uint16_t>(bytes | (row.is_text ? kIsText : 0) |
                                 std::min(size, kLongKey) << kSizeAt),
      head);
  if (usual) {
    at = PutDouble(values[0].AsDouble(), at);
  } else {
    for (std::size_t i = 0; i < count; ++i) at = PutValue(values[i], at);
  }
  size_ = static_cast<std::size_t>(at - memory_.get());
}

inline char* SpreadWriter::PutDouble(double value, char* at) {
  std::int64_t whole = 0;
  if (!IsDecimal(value, decimals_, whole) && !FindDecimals(value, whole)) [[unlikely]] {
    *at = static_cast<char>(kDouble);
    return Put(value, at + 1);
  }
  return PutTagged(kDecimal | static_cast<unsigned>(decimals_) << 3, whole, at);
}

// Seldom where it has no hope.
bool SpreadWriter::FindDecimals(double value, std::int64_t& whole) {
  if (unfruitful_ > 0) {
    --unfruitful_;
    return false;
  }
  for (std::size_t decimals = 0; decimals < std::size(kPowers); ++decimals) {
    if (!IsDecimal(value, decimals, whole)) continue;
    decimals_ = decimals;
    return true;
  }
  unfruitful_ = kUnfruitful;
  return false;
}

char* SpreadWriter::PutValue(const Value& value, char* at) {
  switch (value.type()) {
    case Type::kDouble:
      return PutDouble(value.AsDouble(), at);
    case Type::kInt:
      return PutTagged(kInt, value.AsInt(), at);
    case Type::kUint:
      *at = static_cast<char>(kUint);
      return Put(value.AsUint(), at + 1);
    case Type::kBool:
      *at = static_cast<char>(value.AsBool() ? kTrue : kFalse);
      return at + 1;
    case Type::kString: {
      const std::string_view text = value.AsString();
      *at = static_cast<char>(kText);
      at = Put(static_cast<std::uint32_t>(text.size()), at + 1);
      if (!text.empty()) std::memcpy(at, text.data(), text.size());
      return at + text.size();
    }
    case Type::kNull:
      *at = static_cast<char>(kNull);
      return at + 1;
    default:
      *at = static_cast<char>(kMissing);
      return at + 1;
  }
}

bool SpreadReader::Take(SpreadRow& row, Value* values, bool& usual) {
  if (end_ - at_ < 2) return false;
  const auto head = static_cast<unsigned>(TakeNumber(at_, 2));
  const unsigned bytes = head & 0xf;
  row.is_text = (head & kIsText) != 0;
  if (bytes > 8 || !TakeKey(head >> kSizeAt, row)) return false;
  const std::int64_t distance = FromZigzag(TakeNumber(at_, bytes));
  const std::int64_t every = layout_->every();
  // What wraps is not a right time, or a wrong one that does no harm.
  const std::uint64_t step =
      static_cast<std::uint64_t>(distance) * (every > 0 ? static_cast<std::uint64_t>(every) : 1);
  last_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(last_) + step);
  row.start = row.time = last_ + layout_->offset();
  if (last_ > kFarthestTime || last_ < -kFarthestTime) return false;
  usual = true;
  for (std::size_t i = 0; i < layout_->arguments(); ++i) {
    if (!TakeValue(values[i], usual)) return false;
  }
  return at_ <= end_;
}

inline bool SpreadReader::TakeKey(std::size_t size, SpreadRow& row) {
  if (size == kLongKey) [[unlikely]] {
    if (end_ - at_ < 4) return false;
    size = TakeNumber(at_, 4);
  }
  if (static_cast<std::size_t>(end_ - at_) < size) return false;
  row.key = {at_, size};
  at_ += size;
  return row.is_text || IsEncodedKey(row.key);
}

inline bool SpreadReader::TakeValue(Value& value, bool& usual) {
  if (at_ >= end_) return false;
  const auto tag = static_cast<std::uint8_t>(*at_++);
  if ((tag & 0xc0) == kDecimal) [[likely]] {
    const auto whole = static_cast<double>(FromZigzag(TakeNumber(at_, tag & 7)));
    std::construct_at(&value, Value::Double(whole / kPowers[tag >> 3 & 7]));
    return true;
  }
  const bool right = TakeOther(tag, value);
  usual = usual && right && value.type() == Type::kDouble && std::isfinite(value.AsDouble());
  return right;
}

bool SpreadReader::TakeOther(std::uint8_t tag, Value& value) {
  if (tag >= kInt) {
    const unsigned bytes = tag & 0x3f;
    if (bytes > 8) return false;
    value = Value::Int(FromZigzag(TakeNumber(at_, bytes)));
    return true;
  }
  switch (tag) {
    case kMissing:
      value = Value();
      return true;
    case kNull:
      value = Value::Null();
      return true;
    case kFalse:
    case kTrue:
      value = Value::Bool(tag == kTrue);
      return true;
    case kUint:
      value = Value::Uint(TakeNumber(at_, 8));
      return true;
    case kDouble:
      value = Value::Double(std::bit_cast<double>(TakeNumber(at_, 8)));
      return true;
    case kText: {
      if (end_ - at_ < 4) return false;
      const std::size_t size = TakeNumber(at_, 4);
      if (static_cast<std::size_t>(end_ - at_) < size) return false;
      value = Value::String({at_, size});
      at_ += size;
      return true;
    }
    default:
      return false;
  }
}

}  // namespace runnel
