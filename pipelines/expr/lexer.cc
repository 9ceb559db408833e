#include "pipelines/expr/lexer.h"

#include <array>
#include <charconv>

namespace runnel::expr {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendUtf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

constexpr std::array<std::string_view, 6> kTwoCharSymbols = {"&&", "||", "==", "!=", "<=", ">="};

class Lexer final {
 public:
  Lexer(std::string_view text, const Place& place, Diagnostics& diagnostics)
      : text_(text), place_(place), diagnostics_(diagnostics) {}

  std::vector<Token> Run() {
    std::vector<Token> tokens;
    for (;;) {
      SkipBlanks();
      Token token;
      token.at = at_;
      if (at_ == text_.size()) {
        tokens.push_back(token);
        return tokens;
      }
      if (!Next(token)) return {};
      tokens.push_back(std::move(token));
    }
  }

 private:
  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool Fail(std::size_t at, std::string message, std::string hint = {}) {
    diagnostics_.Error(place_.At(text_, at), std::move(message), std::move(hint));
    return false;
  }
  void SkipBlanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '/' && Peek(1) == '/') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool Next(Token& token) {
    const char c = Peek();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number(token);
    if (c == '"' || c == '\'') return Text(token, false, false);
    if (c == '`') return QuotedName(token);
    if (IsLetter(c)) {
      bool raw = false;
      bool bytes = false;
      if (TextPrefix(raw, bytes)) return Text(token, raw, bytes);
      const std::size_t begin = at_;
      while (IsLetter(Peek()) || IsDigit(Peek())) ++at_;
      token.kind = TokenKind::kIdentifier;
      token.text = text_.substr(begin, at_ - begin);
      return true;
    }
    return Symbol(token);
  }

  bool Symbol(Token& token) {
    const char c = Peek();
    token.kind = TokenKind::kSymbol;
    for (const std::string_view symbol : kTwoCharSymbols) {
      if (text_.substr(at_, 2) == symbol) {
        token.text = symbol;
        at_ += 2;
        return true;
      }
    }
    if (std::string_view("+-*/%!<>()[]{}.,:?").find(c) == std::string_view::npos) {
      if (c == '=') return Fail(at_, "`=` is not an operator, expected `==`");
      if (c == '&' || c == '|') {
        return Fail(at_, "`" + std::string(1, c) + "` is not an operator, expected `" +
                             std::string(2, c) + "`");
      }
      return Fail(at_, "a character that no expression has",
                  c == '^' ? "a power is `pow(a, b)`" : "");
    }
    token.text = text_.substr(at_++, 1);
    return true;
  }

  // `temp-1`: a name with characters that names do not have.
  bool QuotedName(Token& token) {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && Peek() != '`' && Peek() != '\n') ++at_;
    if (Peek() != '`') return Fail(begin, "a name without a closing backtick");
    token.kind = TokenKind::kQuotedName;
    token.text = text_.substr(begin + 1, at_ - begin - 1);
    ++at_;
    return token.text.empty() ? Fail(begin, "an empty name") : true;
  }

  bool TextPrefix(bool& raw, bool& bytes) {
    std::size_t i = 0;
    for (; i < 2; ++i) {
      const char c = Peek(i);
      if ((c == 'r' || c == 'R') && !raw)
        raw = true;
      else if ((c == 'b' || c == 'B') && !bytes)
        bytes = true;
      else
        break;
    }
    if (i == 0 || (Peek(i) != '"' && Peek(i) != '\'')) return raw = bytes = false;
    at_ += i;
    return true;
  }

  bool Number(Token& token) {
    const std::size_t begin = at_;
    const char* const first = text_.data() + begin;
    if (Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X')) {
      at_ += 2;
      const std::size_t digits = at_;
      while (HexValue(Peek()) >= 0) ++at_;
      return Integer(token, begin, text_.substr(digits, at_ - digits), 16);
    }
    bool fraction = false;
    while (IsDigit(Peek())) ++at_;
    if (Peek() == '.' && IsDigit(Peek(1))) {
      fraction = true;
      ++at_;
      while (IsDigit(Peek())) ++at_;
    }
    const std::size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
    if ((Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
      fraction = true;
      at_ += 1 + sign;
      while (IsDigit(Peek())) ++at_;
    }
    if (!fraction) return Integer(token, begin, text_.substr(begin, at_ - begin), 10);
    token.kind = TokenKind::kDouble;
    const auto result = std::from_chars(first, text_.data() + at_, token.number);
    const std::string_view digits = text_.substr(begin, at_ - begin);
    if (result.ec != std::errc() && IsTooLarge(digits)) {
      return Fail(begin, "a number that does not fit a double");
    }
    return NoLetterBehind(begin);
  }

  // Of a number that no double is near to: whether it is too large, or next to 0.
  static bool IsTooLarge(std::string_view digits) {
    const std::size_t exponent = digits.find_first_of("eE");
    if (exponent != std::string_view::npos) return digits[exponent + 1] != '-';
    return digits.substr(0, digits.find('.')).find_first_not_of('0') != std::string_view::npos;
  }

  bool Integer(Token& token, std::size_t begin, std::string_view digits, int base) {
    std::uint64_t magnitude = 0;
    const auto result =
        std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
    const bool is_unsigned = Peek() == 'u' || Peek() == 'U';
    // 2^63 is right only behind a minus; the parser decides.
    const bool too_large = !is_unsigned && magnitude > std::uint64_t{1} << 63;
    if (digits.empty() || result.ec != std::errc() || too_large) {
      return Fail(begin, "a number that does not fit 64 bits");
    }
    token.kind = is_unsigned ? TokenKind::kUint : TokenKind::kInt;
    token.integer = static_cast<std::int64_t>(magnitude);
    if (is_unsigned) ++at_;
    return NoLetterBehind(begin);
  }

  bool NoLetterBehind(std::size_t begin) {
    if (!IsLetter(Peek()) && !IsDigit(Peek())) return true;
    return Fail(begin, "a number with letters behind it",
                "a length of time is `duration(\"10s\")`, text stands in quotes");
  }

  bool Text(Token& token, bool raw, bool bytes) {
    const std::size_t begin = at_;
    const char quote = Peek();
    const bool triple = Peek(1) == quote && Peek(2) == quote;
    at_ += triple ? 3 : 1;
    token.kind = bytes ? TokenKind::kBytes : TokenKind::kString;
    for (;;) {
      const char c = Peek();
      if (at_ >= text_.size() || (!triple && (c == '\n' || c == '\r'))) {
        return Fail(begin, "a text without a closing quote");
      }
      if (c == quote && (!triple || (Peek(1) == quote && Peek(2) == quote))) {
        at_ += triple ? 3 : 1;
        return true;
      }
      if (c == '\\' && !raw) {
        if (!Escape(token.value, bytes)) return false;
      } else {
        token.value += c;
        ++at_;
      }
    }
  }

  bool Escape(std::string& out, bool bytes) {
    const std::size_t begin = at_;
    const char c = Peek(1);
    static constexpr std::string_view kNames = "abfnrtv\\?\"'`";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\?\"'`";
    if (const std::size_t found = kNames.find(c); c != '\0' && found != std::string_view::npos) {
      out += kValues[found];
      at_ += 2;
      return true;
    }
    int digits = 0;
    int base = 16;
    std::size_t skip = 2;
    if (c == 'x' || c == 'X')
      digits = 2;
    else if (c == 'u' && !bytes)
      digits = 4;
    else if (c == 'U' && !bytes)
      digits = 8;
    else if (c >= '0' && c <= '3')
      digits = 3, base = 8, skip = 1;
    else
      return Fail(begin, "an escape that texts do not have");
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const int value = HexValue(Peek(skip + static_cast<std::size_t>(i)));
      if (value < 0 || value >= base) return Fail(begin, "an escape with too few digits");
      code = code * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(value);
    }
    at_ += skip + static_cast<std::size_t>(digits);
    if (bytes) {
      out += static_cast<char>(code);
      return true;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      return Fail(begin, "an escape that is no character");
    }
    AppendUtf8(code, out);
    return true;
  }

  std::string_view text_;
  const Place& place_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
};

}  // namespace

Position Place::At(std::string_view text, std::size_t offset) const {
  Position position = start;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) ++position.column;
  }
  return position;
}

std::vector<Token> Tokenize(std::string_view text, const Place& place, Diagnostics& diagnostics) {
  return Lexer(text, place, diagnostics).Run();
}

}  // namespace runnel::expr
