// ByteWriter, ByteReader: the encoding of everything that runnel stores or
// passes between its own processes: little-endian, lengths as varints.
//
// A reader never trusts a length: a read past the end makes it !ok() and gives
// zeros from then on, so that a caller may check once at the end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace runnel {

// Zigzag, so that small negative numbers stay short.
inline std::uint64_t ToZigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t FromZigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

class ByteWriter final {
 public:
  void U8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void U32(std::uint32_t value) { Fixed(value); }
  void U64(std::uint64_t value) { Fixed(value); }
  void F64(double value) { Fixed(std::bit_cast<std::uint64_t>(value)); }
  // LEB128, as in protocol buffers.
  void Varint(std::uint64_t value) {
    char bytes[kVarintMax];
    bytes_.append(bytes, static_cast<std::size_t>(PutVarint(value, bytes) - bytes));
  }
  void Signed(std::int64_t value) { Varint(ToZigzag(value)); }
  void String(std::string_view value) {
    Varint(value.size());
    bytes_.append(value);
  }
  void Raw(std::string_view value) { bytes_.append(value); }

  // For who writes much at once: where at most `bytes` more may be put, and then where they end.
  char* Room(std::size_t bytes) {
    const std::size_t used = bytes_.size();
    bytes_.resize(used + bytes);
    return bytes_.data() + used;
  }
  void EndAt(const char* end) { bytes_.resize(static_cast<std::size_t>(end - bytes_.data())); }
  static constexpr std::size_t kVarintMax = 10;
  static char* PutVarint(std::uint64_t value, char* at) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
    *at++ = static_cast<char>(value);
    return at;
  }

  std::string_view bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }
  void Clear() { bytes_.clear(); }

 private:
  template <typename T>
  void Fixed(T value) {
    static_assert(std::endian::native == std::endian::little);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  std::string bytes_;
};

class ByteReader final {
 public:
  // Borrows `bytes`, which outlives the reader and every view it gives.
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t U8() { return Fixed<std::uint8_t>(); }
  std::uint32_t U32() { return Fixed<std::uint32_t>(); }
  std::uint64_t U64() { return Fixed<std::uint64_t>(); }
  double F64() { return std::bit_cast<double>(Fixed<std::uint64_t>()); }
  std::uint64_t Varint() {
    if (!rest_.empty() && static_cast<signed char>(rest_[0]) >= 0) {
      const auto byte = static_cast<std::uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      return byte;
    }
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = U8();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::int64_t Signed() { return FromZigzag(Varint()); }
  std::string_view String() { return Raw(Varint()); }
  std::string_view Raw(std::uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }

  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }
  // What has not been read.
  std::string_view rest() const { return rest_; }

 private:
  template <typename T>
  T Fixed() {
    T value{};
    const std::string_view raw = Raw(sizeof value);
    if (!raw.empty()) std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace runnel
