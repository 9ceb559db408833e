// RegexCache: the compiled regular expressions of one program.
//
// RE2: time linear in the text, whatever the pattern. A pattern is compiled when it first
// comes and kept, so that one that is the same for every record costs a look; at most
// kPatternsMax are kept.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace runnel::expr {

class RegexCache final {
 public:
  static constexpr std::size_t kPatternsMax = 64;

  RegexCache();
  ~RegexCache();
  RegexCache(RegexCache&&) noexcept;
  RegexCache& operator=(RegexCache&&) noexcept;

  enum class Answer { kNo, kYes, kBadPattern };
  // Whether the pattern matches a part of the text.
  Answer Match(std::string_view text, std::string_view pattern);

 private:
  struct Patterns;
  std::unique_ptr<Patterns> patterns_;
};

// What is wrong with a pattern, in RE2's words; empty: nothing.
std::string RegexProblem(std::string_view pattern);

}  // namespace runnel::expr
