// KeyPlan: the key of an operator: fields or expressions, encoded as bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {

// Bytes of an encoded key; grows, and keeps its memory.
class KeyBuffer final {
 public:
  void Clear() { size_ = 0; }
  // Room for so many more bytes, which the caller fills.
  char* Extend(std::size_t bytes) {
    if (bytes > capacity_ - size_) Grow(bytes);
    char* const at = bytes_.get() + size_;
    size_ += bytes;
    return at;
  }
  std::string_view bytes() const { return {bytes_.get(), size_}; }

 private:
  void Grow(std::size_t bytes);

  static constexpr std::size_t kFirst = 64;  // bytes() of no key is no null pointer
  std::unique_ptr<char[]> bytes_ = std::make_unique<char[]>(kFirst);
  std::size_t size_ = 0;
  std::size_t capacity_ = kFirst;
};

struct KeyPart {
  std::string name;  // of the field in a result
  std::string text;
  std::uint16_t result_field = 0;  // in a record of another kind; set by who makes those
  std::unique_ptr<Expression> expression;
};

class KeyPlan final {
 public:
  // `node`: nothing, a field or an expression, or a list of them. False after an error.
  bool Compile(const StepContext& context, const Node& node);

  // Appends the encoded key of `record`; a literal reason on failure. 1 and 1.0 are one
  // key, and not "1"; null, missing and NaN are none.
  const char* Encode(const Record& record, Arena& arena, KeyBuffer& key) const;
  // An encoded text: its tag, its length in four bytes, the text.
  static constexpr char kTextTag = 's';
  static constexpr std::size_t kTextHead = 1 + sizeof(std::uint32_t);
  static void AppendText(std::string_view text, KeyBuffer& key);
  // The next part of an encoded key, which Encode has made. Text is borrowed.
  static Value TakePart(std::string_view& key);
  Result<std::uint64_t> Hash(const Record& record, Arena& arena) const;

  std::vector<std::string> Texts() const;
  // `key device, room`, or `no key`.
  std::string Explain() const;

  std::vector<KeyPart> parts;
};

}  // namespace runnel
