#include "pipelines/spec/schema.h"

#include <bit>
#include <cstring>

namespace runnel {
namespace {

using internal::FormatReal;
using internal::FormatText;
using internal::LeafType;
using internal::Option;
using internal::OptionRules;
using internal::OptionSet;
using internal::Slot;
using internal::ValueType;
using Shape = ValueType::Shape;

std::string Quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

// Numbers of 1, 2, 4 or 8 bytes; shorter ones are not negative.
void StoreWhole(std::int64_t number, std::size_t bytes, void* value) {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(value, &number, bytes);
}

std::int64_t LoadWhole(const void* value, std::size_t bytes) {
  std::int64_t number = 0;
  std::memcpy(&number, value, bytes);
  return number;
}

// Where nothing is a value: a component may have no required options.
bool TakesNull(const ValueType& type) {
  const ValueType* leaf = &type;
  while (leaf->element != nullptr) leaf = leaf->element;
  return type.shape == Shape::kOptions || leaf->shape == Shape::kAny;
}

// One component being read from one map.
class Reading final {
 public:
  Reading(const OptionSet& set, const std::string& subject, Diagnostics& diagnostics)
      : set_(set), subject_(subject), diagnostics_(diagnostics), seen_(set.options.size(), false) {}

  void Value(const Option& option, const std::string& subject, const Position& at,
             const Node& node) {
    if (node.kind == Node::Kind::kNull && !TakesNull(*option.type)) {
      diagnostics_.Error(
          at, subject + " has no value",
          option.required ? ExampleOf(option) : "leave the line out to use the default");
      ok_ = false;
      return;
    }
    ok_ = ReadValue(*option.type, Slot{node, subject, at, option.rules, diagnostics_},
                    option.value) &&
          ok_;
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
    return "for example " + Quoted(std::string(option.name).append(": ").append(option.example));
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
  Diagnostics& diagnostics_;
  std::vector<bool> seen_;
  bool ok_ = true;
};

// `such as { size: 1m, every: 10s }`: the required options.
std::string MapHint(const OptionSet& set, const Node& node) {
  std::string example;
  for (const Option& option : set.options) {
    if (!option.required || option.example.empty()) continue;
    example.append(example.empty() ? "" : ", ").append(option.name);
    example.append(": ").append(option.example);
  }
  if (example.empty() || !internal::ColonHint(node).empty()) return internal::ColonHint(node);
  return "such as `{ " + example + " }`";
}

// The options of one component, from its node.
bool ReadOptions(internal::DescribeFunction describe, void* component, const Node& node,
                 const std::string& subject, const Position& at, Diagnostics& diagnostics) {
  OptionSet set;
  describe(set, component);
  Reading reading(set, subject, diagnostics);
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

bool ReadLeaf(const ValueType& type, const Slot& slot, void* value) {
  if (type.leaf == LeafType::kText) return ReadText(slot, *static_cast<std::string*>(value));
  if (type.leaf == LeafType::kReal) return ReadReal(slot, *static_cast<double*>(value));
  std::int64_t number = 0;
  if (!ReadWhole(type.leaf, slot, number)) return false;
  StoreWhole(number, type.bytes, value);
  return true;
}

bool ReadList(const ValueType& type, const Slot& slot, void* value) {
  type.clear(value);
  if (slot.rules.single_as_list && slot.node.IsScalar()) {
    return ReadValue(*type.element, slot, type.add(value, {}));
  }
  if (!ExpectList(slot)) return false;
  bool ok = true;
  for (std::size_t i = 0; i < slot.node.items.size(); ++i) {
    ok = ReadValue(*type.element, slot.Item(i), type.add(value, {})) && ok;
  }
  return ok;
}

bool ReadMap(const ValueType& type, const Slot& slot, void* value) {
  type.clear(value);
  if (!ExpectMap(slot)) return false;
  bool ok = true;
  for (const Node::Member& member : slot.node.members) {
    ok = ReadValue(*type.element, slot.Entry(member), type.add(value, member.key)) && ok;
  }
  return ok;
}

std::string FormatLeaf(const ValueType& type, const void* value, const OptionRules& rules) {
  if (type.leaf == LeafType::kText) return FormatText(*static_cast<const std::string*>(value));
  if (type.leaf == LeafType::kReal) return FormatReal(*static_cast<const double*>(value));
  return FormatWhole(type.leaf, LoadWhole(value, type.bytes), rules);
}

std::string FormatList(const ValueType& type, const void* value, const OptionRules& rules) {
  std::string text = "[";
  for (std::size_t i = 0; const void* element = type.at(value, i); ++i) {
    text.append(i > 0 ? ", " : "").append(FormatValue(*type.element, element, rules));
  }
  return text.append("]");
}

std::vector<OptionDoc> NestedDocs(const ValueType& type) {
  const ValueType* leaf = &type;
  while (leaf->element != nullptr) leaf = leaf->element;
  return leaf->docs == nullptr ? std::vector<OptionDoc>() : leaf->docs();
}

}  // namespace

namespace internal {

bool ReadValue(const ValueType& type, const Slot& slot, void* value) {
  switch (type.shape) {
    case Shape::kLeaf:
      return ReadLeaf(type, slot, value);
    case Shape::kAny:
      *static_cast<Node*>(value) = slot.node;
      return true;
    case Shape::kOptions:
      return ReadOptions(type.describe, value, slot.node, slot.subject, slot.at, slot.diagnostics);
    case Shape::kOptional:
      return ReadValue(*type.element, slot, type.add(value, {}));
    case Shape::kList:
      return ReadList(type, slot, value);
    case Shape::kMap:
      return ReadMap(type, slot, value);
  }
  return false;
}

std::string FormatValue(const ValueType& type, const void* value, const OptionRules& rules) {
  switch (type.shape) {
    case Shape::kLeaf:
      return FormatLeaf(type, value, rules);
    case Shape::kOptional: {
      const void* element = type.at(value, 0);
      return element == nullptr ? std::string() : FormatValue(*type.element, element, rules);
    }
    case Shape::kList:
      return FormatList(type, value, rules);
    case Shape::kAny:
    case Shape::kOptions:
    case Shape::kMap:
      break;
  }
  return {};
}

std::string TypeName(const ValueType& type, const OptionRules& rules) {
  switch (type.shape) {
    case Shape::kLeaf:
      return LeafName(type.leaf, rules);
    case Shape::kAny:
      return "any";
    case Shape::kOptions:
      return "options";
    case Shape::kOptional:
      return TypeName(*type.element, rules);
    case Shape::kList:
      return "list of " + TypeName(*type.element, rules);
    case Shape::kMap:
      return "map of " + TypeName(*type.element, rules);
  }
  return {};
}

Option& OptionSet::AddOptional(const char* name, const char* description, const ValueType& type,
                               void* value) {
  Option& option = options.emplace_back();
  option.name = name;
  option.description = description;
  option.type = &type;
  option.value = value;
  return option;
}

Option& OptionSet::AddRequired(const char* name, const char* description, const ValueType& type,
                               void* value) {
  Option& option = AddOptional(name, description, type, value);
  option.required = true;
  return option;
}

Option& OptionSet::AddWhole(const char* description, const ValueType& type, void* value) {
  whole = true;
  return AddRequired("", description, type, value);
}

void SetLeast(Option& option, std::int64_t least) { option.rules.least = least; }
void SetLeast(Option& option, double least) { option.rules.least_real = least; }
void SetMost(Option& option, std::int64_t most) { option.rules.most = most; }
void SetMost(Option& option, double most) { option.rules.most_real = most; }
void AddWord(Option& option, const char* word, std::int64_t value) {
  option.rules.words.emplace_back(word, value);
}

bool ReadComponent(DescribeFunction describe, void* component, const Node& node,
                   std::string_view what, Diagnostics& diagnostics, const Position* at) {
  return ReadOptions(describe, component, node, Quoted(what), at != nullptr ? *at : node.position,
                     diagnostics);
}

std::vector<OptionDoc> DescribeComponent(DescribeFunction describe, void* component) {
  OptionSet set;
  describe(set, component);
  std::vector<OptionDoc> docs;
  for (const Option& option : set.options) {
    OptionDoc& doc = docs.emplace_back();
    doc.name = option.name;
    doc.type = TypeName(*option.type, option.rules);
    doc.description = option.description;
    if (!option.required) doc.default_text = FormatValue(*option.type, option.value, option.rules);
    doc.range = RangeOf(option.type->leaf, option.rules);
    doc.example = option.example;
    for (const auto& [word, value] : option.rules.words) doc.choices.emplace_back(word);
    doc.required = option.required;
    doc.or_single = option.rules.single_as_list;
    doc.shorthand = !set.shorthand.empty() && option.name == set.shorthand;
    doc.nested = NestedDocs(*option.type);
  }
  return docs;
}

}  // namespace internal
}  // namespace runnel
