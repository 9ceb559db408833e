// matches: regular expressions, by RE2: time linear in the text, whatever the pattern.
//
// A pattern is compiled once; the last ones are kept, so that one that is the same in
// every record costs a look.
#include <re2/re2.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/regex.h"

namespace runnel::expr {
namespace {

constexpr std::size_t kPatternsMax = 64;
constexpr std::int64_t kMemoryMax = 256 << 10;  // of one pattern, with its automata

RE2::Options Options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  return options;
}

// A thread's own: an expression is evaluated by one thread at a time.
const RE2& Compiled(std::string_view pattern) {
  thread_local std::unordered_map<std::string, std::unique_ptr<RE2>> known;
  const std::string key(pattern);
  const auto found = known.find(key);
  if (found != known.end()) return *found->second;
  if (known.size() == kPatternsMax) known.clear();
  return *known.emplace(key, std::make_unique<RE2>(key, Options())).first->second;
}

Value Matches(std::span<const Value> a, Arena&) {
  const RE2& regex = Compiled(a[1].AsString());
  if (!regex.ok()) return Value::Error("bad_regular_expression");
  const std::string_view text = a[0].AsString();
  return Value::Bool(RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex));
}

constexpr Function kTable[] = {
    {"matches",
     Function::Style::kBoth,
     2,
     2,
     {kTextType, kTextType, kTextType},
     Type::kBool,
     Matches,
     "text.matches(pattern)",
     "Whether the regular expression (RE2) matches a part of the text."},
};

}  // namespace

std::string RegexProblem(std::string_view pattern) {
  const RE2 regex(std::string(pattern), Options());
  return regex.ok() ? "" : regex.error();
}

std::span<const Function> RegexFunctions() { return kTable; }

}  // namespace runnel::expr
