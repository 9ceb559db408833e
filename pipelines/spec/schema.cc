#include "pipelines/spec/schema.h"

#include <algorithm>

namespace runnel {
namespace {

using internal::Option;
using internal::OptionSet;
using internal::Slot;

std::string Quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

// One component being read from one map.
class Reading final {
 public:
  Reading(const OptionSet& set, const std::string& subject, void* options, Diagnostics& diagnostics)
      : set_(set),
        subject_(subject),
        options_(options),
        diagnostics_(diagnostics),
        seen_(set.options.size(), false) {}

  void Value(const Option& option, const std::string& subject, const Position& at,
             const Node& node) {
    if (node.kind == Node::Kind::kNull && !option.takes_null) {
      diagnostics_.Error(
          at, subject + " has no value",
          option.required ? ExampleOf(option) : "leave the line out to use the default");
      ok_ = false;
      return;
    }
    ok_ = option.read(Slot{node, subject, at, option.rules, diagnostics_}, options_) && ok_;
  }

  void Members(const Node& node) {
    for (const Node::Member& member : node.members) {
      const std::size_t index = IndexOf(member.key);
      if (index == set_.options.size()) {
        Unknown(member, node);
      } else {
        seen_[index] = true;
        Value(set_.options[index], Quoted(member.key), member.position, member.value);
      }
    }
  }

  void Whole(const Position& at, const Node& node) {
    seen_[0] = true;
    Value(set_.options[0], subject_, at, node);
  }

  void Short(const Node& node) {
    const std::size_t index = IndexOf(set_.shorthand);
    seen_[index] = true;
    Value(set_.options[index], subject_, node.position, node);
  }

  bool Finish(const Position& at) {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const Option& option = set_.options[i];
      if (!option.required || seen_[i]) continue;
      diagnostics_.Error(at, "missing option " + Quoted(option.name) + " of " + subject_,
                         ExampleOf(option));
      ok_ = false;
    }
    return ok_;
  }

 private:
  std::size_t IndexOf(std::string_view name) const {
    std::size_t i = 0;
    while (i < set_.options.size() && set_.options[i].name != name) ++i;
    return i;
  }

  static std::string ExampleOf(const Option& option) {
    if (option.example.empty()) return {};
    return "for example " + Quoted(option.name + ": " + option.example);
  }

  void Unknown(const Node::Member& member, const Node& all) {
    std::vector<std::string_view> names;
    std::vector<std::string_view> absent;  // who wrote one of the others meant another one here
    for (const Option& option : set_.options) {
      names.push_back(option.name);
      if (all.Find(option.name) == nullptr) absent.push_back(option.name);
    }
    std::string_view meant = DidYouMean(member.key, absent);
    if (meant.empty()) meant = DidYouMean(member.key, names);
    std::string hint = "it has " + internal::ListOfNames(names);
    if (!meant.empty()) {
      hint = "did you mean " + Quoted(meant) + "?";
      seen_[IndexOf(meant)] = true;  // one mistake, one message
    } else if (names.empty()) {
      hint = "it has no options";
    }
    diagnostics_.Error(member.position, "unknown option " + Quoted(member.key) + " of " + subject_,
                       std::move(hint));
    ok_ = false;
  }

  const OptionSet& set_;
  const std::string& subject_;
  void* options_;
  Diagnostics& diagnostics_;
  std::vector<bool> seen_;
  bool ok_ = true;
};

// `such as { size: 1m, every: 10s }`: the required options.
std::string MapHint(const OptionSet& set, const Node& node) {
  std::string example;
  for (const Option& option : set.options) {
    if (!option.required || option.example.empty()) continue;
    example += (example.empty() ? "" : ", ") + option.name + ": " + option.example;
  }
  if (example.empty() || !internal::ColonHint(node).empty()) return internal::ColonHint(node);
  return "such as `{ " + example + " }`";
}

}  // namespace

namespace internal {

bool ReadOptions(const OptionSet& set, const Node& node, const std::string& subject,
                 const Position& at, void* options, Diagnostics& diagnostics) {
  Reading reading(set, subject, options, diagnostics);
  if (set.whole) {
    reading.Whole(at, node);
    return reading.Finish(at);
  }
  const bool is_value = node.IsScalar() || node.IsSequence();
  if (is_value && set.shorthand.empty()) {
    diagnostics.Error(node.position,
                      subject + " is not a map of options, found " + std::string(node.KindName()),
                      MapHint(set, node));
    return false;
  }
  if (is_value) {
    reading.Short(node);
  } else {
    reading.Members(node);
  }
  return reading.Finish(at);
}

std::vector<OptionDoc> DescribeOptions(const OptionSet& set, const void* defaults) {
  std::vector<OptionDoc> docs;
  for (const Option& option : set.options) {
    OptionDoc& doc = docs.emplace_back();
    doc.name = option.name;
    doc.type = option.type_name(option.rules);
    doc.description = option.description;
    if (!option.required) doc.default_text = option.format(defaults, option.rules);
    doc.range = RangeOf(option.leaf, option.rules);
    doc.example = option.example;
    for (const auto& [word, value] : option.rules.words) doc.choices.push_back(word);
    doc.required = option.required;
    doc.or_single = option.rules.single_as_list;
    doc.shorthand = !set.shorthand.empty() && option.name == set.shorthand;
    doc.nested = option.nested();
  }
  return docs;
}

}  // namespace internal
}  // namespace runnel
