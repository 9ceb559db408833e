#include "tests/conformance/textproto.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace runnel::conformance {
namespace {

constexpr int kDepthMax = 200;

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto tail = [&out](std::uint32_t bits) { out += static_cast<char>(0x80 | (bits & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(code);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(code >> 6);
    tail(code);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(code >> 12);
    tail(code >> 6);
    tail(code);
  }
}

class Parser final {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Field> Run() {
    Field root;
    if (!Fields(root, '\0', 0) || at_ != text_.size()) {
      const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n');
      return Error{ErrorKind::kFix, "line " + std::to_string(line) + " is not textproto"};
    }
    return root;
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void SkipBlanks() {
    while (at_ < text_.size()) {
      if (Peek() == '#') {
        while (at_ < text_.size() && Peek() != '\n') ++at_;
      } else if (std::isspace(static_cast<unsigned char>(Peek())) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ == text_.size() || Peek() != c) return false;
    ++at_;
    return true;
  }
  std::string Word() {
    SkipBlanks();
    const std::size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(Peek())) != 0 || Peek() == '_' ||
           Peek() == '.' || Peek() == '-' || Peek() == '+') {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string Name() {
    if (!Take('[')) return Word();
    const std::size_t end = std::min(text_.find(']', at_), text_.size() - 1);
    const std::string name = "[" + std::string(text_.substr(at_, end - at_)) + "]";
    at_ = end + 1;
    return name;
  }

  // Fields up to `close`, or to the end of the text.
  bool Fields(Field& message, char close, int depth) {
    if (depth > kDepthMax) return false;
    for (;;) {
      SkipBlanks();
      if (close == '\0' ? at_ == text_.size() : Take(close)) return true;
      Field field;
      field.name = Name();
      if (field.name.empty()) return false;
      const bool colon = Take(':');
      if (colon && Take('[')) {
        if (!Items(message, field.name, depth)) return false;
      } else {
        if (!Content(field, depth)) return false;
        message.fields.push_back(std::move(field));
      }
      if (!Take(',')) Take(';');
    }
  }

  bool Items(Field& message, const std::string& name, int depth) {
    while (!Take(']')) {
      Field item;
      item.name = name;
      if (!Content(item, depth)) return false;
      message.fields.push_back(std::move(item));
      Take(',');
    }
    return true;
  }

  bool Content(Field& field, int depth) {
    if (Take('{')) return Fields(field, '}', depth + 1);
    if (Take('<')) return Fields(field, '>', depth + 1);
    SkipBlanks();
    if (Peek() != '"' && Peek() != '\'') {
      field.scalar = Word();
      return !field.scalar.empty();
    }
    field.is_string = true;
    while (Peek() == '"' || Peek() == '\'') {
      if (!String(field.scalar)) return false;
      SkipBlanks();
    }
    return true;
  }

  bool String(std::string& out) {
    const char quote = text_[at_++];
    while (at_ < text_.size() && Peek() != quote) {
      if (Peek() == '\\') {
        if (!Escape(out)) return false;
      } else {
        out += text_[at_++];
      }
    }
    return Take(quote);
  }

  std::uint32_t Digits(std::size_t count, std::uint32_t base) {
    std::uint32_t value = 0;
    for (; count > 0; --count, ++at_) {
      const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(Peek())));
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
      if (static_cast<std::uint32_t>(digit) >= base) break;
      value = value * base + static_cast<std::uint32_t>(digit);
    }
    return value;
  }

  bool Escape(std::string& out) {
    ++at_;
    const char c = Peek();
    static constexpr std::string_view kNames = "abfnrtv\\?'\"";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\?'\"";
    if (const std::size_t found = kNames.find(c); found != std::string_view::npos) {
      out += kValues[found];
      ++at_;
      return true;
    }
    if (c >= '0' && c <= '7') {
      out += static_cast<char>(Digits(3, 8));
      return true;
    }
    ++at_;
    switch (c) {
      case 'x':
      case 'X':
        out += static_cast<char>(Digits(2, 16));
        return true;
      case 'u':
        AppendUtf8(Digits(4, 16), out);
        return true;
      case 'U':
        AppendUtf8(Digits(8, 16), out);
        return true;
      default:
        return false;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

const Field* Field::Find(std::string_view wanted) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [wanted](const Field& field) { return field.name == wanted; });
  return found == fields.end() ? nullptr : &*found;
}

std::string_view Field::Text(std::string_view wanted) const {
  const Field* const field = Find(wanted);
  return field == nullptr ? std::string_view() : std::string_view(field->scalar);
}

Result<Field> ParseTextProto(std::string_view text) { return Parser(text).Run(); }

}  // namespace runnel::conformance
