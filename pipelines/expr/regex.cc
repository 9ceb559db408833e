#include "pipelines/expr/regex.h"

#include <re2/re2.h>

#include <unordered_map>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/program.h"

namespace runnel::expr {
namespace {

constexpr std::int64_t kMemoryMax = 256 << 10;  // of one pattern, with its automata

RE2::Options Options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  return options;
}

Value Matches(const Program& program, std::span<const Value> a) {
  switch (program.regexes.Match(a[0].AsString(), a[1].AsString())) {
    case RegexCache::Answer::kNo:
      return Value::Bool(false);
    case RegexCache::Answer::kYes:
      return Value::Bool(true);
    case RegexCache::Answer::kBadPattern:
      break;
  }
  return Value::Error("bad_regular_expression");
}

constexpr Function kTable[] = {
    {"matches",
     Function::Style::kBoth,
     2,
     2,
     {kTextType, kTextType, kTextType},
     Type::kBool,
     nullptr,
     "text.matches(pattern)",
     "Whether the regular expression (RE2) matches a part of the text.",
     nullptr,
     Matches},
};

}  // namespace

struct RegexCache::Patterns {
  std::unordered_map<std::string, std::unique_ptr<RE2>> known;
  std::string key;  // scratch
};

RegexCache::RegexCache() = default;
RegexCache::~RegexCache() = default;
RegexCache::RegexCache(RegexCache&&) noexcept = default;
RegexCache& RegexCache::operator=(RegexCache&&) noexcept = default;

RegexCache::Answer RegexCache::Match(std::string_view text, std::string_view pattern) {
  if (patterns_ == nullptr) patterns_ = std::make_unique<Patterns>();
  patterns_->key = pattern;
  auto found = patterns_->known.find(patterns_->key);
  if (found == patterns_->known.end()) {
    if (patterns_->known.size() == kPatternsMax) patterns_->known.clear();
    auto regex = std::make_unique<RE2>(patterns_->key, Options());
    found = patterns_->known.emplace(patterns_->key, std::move(regex)).first;
  }
  if (!found->second->ok()) return Answer::kBadPattern;
  const bool matches =
      RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *found->second);
  return matches ? Answer::kYes : Answer::kNo;
}

std::string RegexProblem(std::string_view pattern) {
  const RE2 regex(std::string(pattern), Options());
  return regex.ok() ? "" : regex.error();
}

std::span<const Function> RegexFunctions() { return kTable; }

}  // namespace runnel::expr
