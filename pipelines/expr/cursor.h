// Cursor: the place in the tokens of an expression, and what is wrong there.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/expr/lexer.h"

namespace runnel::expr {

class Cursor final {
 public:
  Cursor(std::string_view text, const Place& place, Diagnostics& diagnostics)
      : text_(text), place_(place), diagnostics_(diagnostics) {
    tokens_ = Tokenize(text_, place_, diagnostics_);
    failed_ = tokens_.empty();
    if (failed_) tokens_.emplace_back();
  }

  const Token& Now() const { return tokens_[next_]; }
  // The token so many behind this one; the end where there is none.
  const Token& Ahead(std::size_t count) const {
    return tokens_[next_ + count < tokens_.size() ? next_ + count : tokens_.size() - 1];
  }
  static bool IsSymbol(const Token& token, std::string_view symbol) {
    return token.kind == TokenKind::kSymbol && token.text == symbol;
  }
  bool Is(std::string_view symbol) const { return IsSymbol(Now(), symbol); }
  // The text of the token before this one.
  std::string_view Before() const {
    return next_ == 0 ? std::string_view() : tokens_[next_ - 1].text;
  }
  // Never goes beyond the end.
  Token Next() {
    const Token token = Now();
    Skip(1);
    return token;
  }
  void Skip(std::size_t count) {
    next_ = next_ + count < tokens_.size() ? next_ + count : tokens_.size() - 1;
  }
  bool Take(std::string_view symbol) {
    if (!Is(symbol)) return false;
    Skip(1);
    return true;
  }
  // False, with an error, where `symbol` does not stand.
  bool Expect(std::string_view symbol) {
    if (Take(symbol)) return true;
    Stop(Now().at, "expected `" + std::string(symbol) + "`, found " + Found());
    return false;
  }
  // The token here as the user wrote it.
  std::string Found() const {
    if (Now().kind == TokenKind::kEnd) return "the end";
    const std::size_t end = next_ + 1 < tokens_.size() ? tokens_[next_ + 1].at : text_.size();
    std::string_view found = text_.substr(Now().at, end - Now().at);
    while (found.ends_with(' ')) found.remove_suffix(1);
    return "`" + std::string(found.substr(0, kFoundMax)) + "`";
  }

  // An error after which reading can go on, such as an unknown name.
  void Error(std::size_t at, std::string message, std::string hint = {}) {
    if (!stopped_) diagnostics_.Error(place_.At(text_, at), std::move(message), std::move(hint));
    failed_ = true;
  }
  // An error after which nothing makes sense; later ones are not reported.
  void Stop(std::size_t at, std::string message, std::string hint = {}) {
    Error(at, std::move(message), std::move(hint));
    stopped_ = true;
  }
  bool failed() const { return failed_; }

 private:
  static constexpr std::size_t kFoundMax = 40;

  std::string_view text_;
  const Place& place_;
  Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  bool failed_ = false;
  bool stopped_ = false;
};

}  // namespace runnel::expr
