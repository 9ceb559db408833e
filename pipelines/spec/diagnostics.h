// Diagnostics: everything wrong with a configuration, all at once.
//
// Collected while a file is read, checked and compiled; printed with file, line
// and column, the source line, a caret and a hint. Nobody stops at the first.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace runnel {

// A place in a configuration file; line and column count from 1, column in
// characters (code points). Line 0: the file as a whole.
struct Position {
  std::string file;  // as the user named it
  int line = 0;
  int column = 0;
};

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  Position position;
  std::string message;  // lower case, no full stop, user text in backticks
  std::string hint;     // empty, or advice
};

class Diagnostics final {
 public:
  void Error(Position position, std::string message, std::string hint = {});
  void Warning(Position position, std::string message, std::string hint = {});

  // The text of a file, kept to print the source line under a message.
  void AddSource(std::string_view file, std::string_view text);

  bool has_errors() const { return errors_ > 0; }
  std::size_t errors() const { return errors_; }
  // Sorted by file, line, column; equal ones once.
  std::vector<Diagnostic> All() const;
  // What the user sees:
  //   site.yaml:7:9: error: unknown option `keyz_max` of `window`
  //       7 |         keyz_max: 5
  //         |         ^
  //     hint: did you mean `keys_max`?
  // At most 50 messages, then a line with the number left out. Control
  // characters of the source are printed as `?`, tabs as a blank; of a long line
  // the part around the caret is shown.
  std::string Format() const;

 private:
  std::vector<Diagnostic> diagnostics_;
  std::map<std::string, std::string, std::less<>> sources_;  // text by file
  std::size_t errors_ = 0;
};

// The candidate that `word` probably meant, or empty: the same but for separators and case, else
// what other programs call the same (`avg` is `mean`), else one within a Damerau-Levenshtein
// distance of a third of the longer length (1 for short words). Ties go to the first candidate.
std::string_view DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace runnel
