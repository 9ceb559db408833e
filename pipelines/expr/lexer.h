// Lexer: the text of an expression as tokens (CEL, "Lexical structure").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/spec/diagnostics.h"

namespace runnel::expr {

enum class TokenKind : std::uint8_t {
  kEnd,
  kIdentifier,
  kQuotedName,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kSymbol,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::size_t at = 0;        // byte offset into the text
  std::string_view text;     // identifier or symbol
  std::int64_t integer = 0;  // kInt: the magnitude's bits; kUint: the value
  double number = 0;         // kDouble
  std::string value;         // kString, kBytes: after escapes
};

// Where the text of an expression stands, for messages.
struct Place {
  Position start;
  Position At(std::string_view text, std::size_t offset) const;
};

// Empty after an error, which has gone to `diagnostics`.
std::vector<Token> Tokenize(std::string_view text, const Place& place, Diagnostics& diagnostics);

}  // namespace runnel::expr
