// Schema: the one declaration of a component's options.
//
// Options::Describe(Schema<Options>&) names each option once; from that come the
// check of the configuration with did-you-mean, the defaults, the JSON Schema and
// the reference manual. See operators/ for examples.
//
//   struct Options {
//     Duration per{};
//     std::int64_t count = 1;
//     static void Describe(Schema<Options>& schema) {
//       schema.Required("per", &Options::per, "Length of an interval.").AtLeast(1ms);
//       schema.Optional("count", &Options::count, "Records let through.").Between(1, 1'000'000);
//     }
//   };
//   std::optional<Options> options = Read<Options>(node, "throttle", diagnostics);
//
// Types of options: bool, std::int64_t, double, std::string, Duration, ByteSize,
// an enum (schema.Optional(...).OneOf({{"block", Policy::kBlock}, ...})),
// std::vector<T> of those, std::vector<std::pair<std::string, T>> (a map in file
// order), a nested Options struct, std::optional of each, Node (taken as it is).
// The default of an optional one is what a default-constructed Options holds.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pipelines/base/time.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

// `64KiB`, `4MiB`, `512B`, `1GiB`; a bare number is bytes.
struct ByteSize {
  std::int64_t bytes = 0;
  friend constexpr auto operator<=>(const ByteSize&, const ByteSize&) = default;
};
constexpr ByteSize KiB(std::int64_t count) { return {count * 1024}; }
constexpr ByteSize MiB(std::int64_t count) { return {count * 1024 * 1024}; }

std::optional<ByteSize> ParseByteSize(std::string_view text);
// The largest unit that divides: `64KiB`, `1000B`.
std::string FormatByteSize(ByteSize size);

// What the manual, the JSON Schema and `runnel describe` need to know of one option.
struct OptionDoc {
  std::string name;                  // empty: the component's value itself (Schema::Whole)
  std::string type;                  // `duration`, `integer`, `one of block, drop_newest`, …
  std::string description;           // one sentence
  std::string default_text;          // as written in YAML; empty: required, or nothing
  std::string range;                 // `1 to 1000000`, `at least 1ms`; empty: any
  std::string example;               // as written in YAML; may be empty
  std::vector<std::string> choices;  // words that are allowed; of a number: beside the range
  bool required = false;
  bool shorthand = false;  // the option that is meant where the value is no map
  bool or_single = false;  // of a list: one value may stand for a list of it
  std::vector<OptionDoc> nested;
};

template <typename T>
class Schema;

// What is wrong with an option goes to the Diagnostics; nullopt when something
// was. `what` is the name of the component, for messages. Missing options are
// reported at `at`, where it is given (the key that `node` belongs to).
template <typename T>
std::optional<T> Read(const Node& node, std::string_view what, Diagnostics& diagnostics,
                      const Position* at = nullptr);

// The same into `options`, which has what could be read also after an error (false); for
// those who go on to look for more of them.
template <typename T>
bool ReadInto(T& options, const Node& node, std::string_view what, Diagnostics& diagnostics,
              const Position* at = nullptr);

template <typename T>
std::vector<OptionDoc> Describe();

namespace internal {

enum class LeafType { kBool, kInteger, kReal, kText, kDuration, kSize, kWord };

// What a value must satisfy beyond its type. Of lists and maps: each element.
struct OptionRules {
  std::optional<std::int64_t> least;  // whole numbers, microseconds, bytes
  std::optional<std::int64_t> most;
  std::optional<double> least_real;
  std::optional<double> most_real;
  std::vector<std::pair<std::string, std::int64_t>> words;
  bool not_empty = false;       // text, lists, maps
  bool single_as_list = false;  // one value stands for a list of it
};

// One value that is being read.
struct Slot {
  const Node& node;
  std::string subject;  // for messages: `per` in backticks, or item 2 of `fields`
  const Position& at;   // of the key
  const OptionRules& rules;
  Diagnostics& diagnostics;

  Slot Item(std::size_t index) const;
  Slot Entry(const Node::Member& member) const;
};

// All but kReal and kText: booleans, microseconds, bytes and enums as numbers.
bool ReadWhole(LeafType type, const Slot& slot, std::int64_t& value);
bool ReadReal(const Slot& slot, double& value);
bool ReadText(const Slot& slot, std::string& value);
bool ExpectList(const Slot& slot);
bool ExpectMap(const Slot& slot);
std::string FormatWhole(LeafType type, std::int64_t value, const OptionRules& rules);
std::string FormatReal(double value);
std::string FormatText(std::string_view text);
std::string LeafName(LeafType type, const OptionRules& rules);
// For messages and the manual: `at least 1ms`; names in backticks; why there is
// text where a map was expected, or nothing.
std::string RangeOf(LeafType type, const OptionRules& rules);
std::string ListOfNames(const std::vector<std::string_view>& names);
std::string ColonHint(const Node& node);

struct Option {
  std::string name;
  std::string description;
  std::string example;
  bool required = false;
  bool takes_null = false;
  OptionRules rules;
  LeafType leaf = LeafType::kText;
  std::function<bool(const Slot& slot, void* options)> read;
  std::function<std::string(const void* options, const OptionRules& rules)> format;
  std::function<std::string(const OptionRules& rules)> type_name;
  std::function<std::vector<OptionDoc>()> nested;
};

struct OptionSet {
  std::vector<Option> options;
  std::string shorthand;
  bool whole = false;  // the one option is the node itself
};

bool ReadOptions(const OptionSet& set, const Node& node, const std::string& subject,
                 const Position& at, void* options, Diagnostics& diagnostics);
std::vector<OptionDoc> DescribeOptions(const OptionSet& set, const void* defaults);

template <typename T>
const OptionSet MakeOptionSet();

template <typename M>
concept HasDescribe = requires(Schema<M>& schema) {
  M::Describe(schema);
};

// How a C++ type is read and described; `Leaf` is what limits and words apply to.
template <typename M>
struct TypeOf;

template <typename M, LeafType kType>
struct WholeType {
  using Leaf = M;
  static constexpr LeafType kLeaf = kType;
  static bool Read(const Slot& slot, M& out) {
    std::int64_t value = 0;
    if (!ReadWhole(kType, slot, value)) return false;
    out = From(value);
    return true;
  }
  static std::string Name(const OptionRules& rules) { return LeafName(kType, rules); }
  static std::string Format(const M& value, const OptionRules& rules) {
    return FormatWhole(kType, To(value), rules);
  }
  static std::vector<OptionDoc> Nested() { return {}; }
  static std::int64_t To(const M& value) {
    if constexpr (std::same_as<M, Duration>) {
      return value.count();
    } else if constexpr (std::same_as<M, ByteSize>) {
      return value.bytes;
    } else {
      return static_cast<std::int64_t>(value);
    }
  }
  static M From(std::int64_t value) {
    if constexpr (std::same_as<M, bool>) {
      return value != 0;
    } else if constexpr (std::same_as<M, ByteSize>) {
      return ByteSize{value};
    } else {
      return static_cast<M>(value);
    }
  }
};

template <>
struct TypeOf<bool> : WholeType<bool, LeafType::kBool> {};
template <>
struct TypeOf<std::int64_t> : WholeType<std::int64_t, LeafType::kInteger> {};
template <>
struct TypeOf<Duration> : WholeType<Duration, LeafType::kDuration> {};
template <>
struct TypeOf<ByteSize> : WholeType<ByteSize, LeafType::kSize> {};
template <typename M>
requires std::is_enum_v<M>
struct TypeOf<M> : WholeType<M, LeafType::kWord> {
};

template <>
struct TypeOf<double> {
  using Leaf = double;
  static constexpr LeafType kLeaf = LeafType::kReal;
  static bool Read(const Slot& slot, double& out) { return ReadReal(slot, out); }
  static std::string Name(const OptionRules& rules) { return LeafName(kLeaf, rules); }
  static std::string Format(double value, const OptionRules&) { return FormatReal(value); }
  static std::vector<OptionDoc> Nested() { return {}; }
};

template <>
struct TypeOf<std::string> {
  using Leaf = std::string;
  static constexpr LeafType kLeaf = LeafType::kText;
  static bool Read(const Slot& slot, std::string& out) { return ReadText(slot, out); }
  static std::string Name(const OptionRules& rules) { return LeafName(kLeaf, rules); }
  static std::string Format(const std::string& value, const OptionRules&) {
    return FormatText(value);
  }
  static std::vector<OptionDoc> Nested() { return {}; }
};

template <>
struct TypeOf<Node> {
  using Leaf = Node;
  static constexpr LeafType kLeaf = LeafType::kText;
  static bool Read(const Slot& slot, Node& out) {
    out = slot.node;
    return true;
  }
  static std::string Name(const OptionRules&) { return "any"; }
  static std::string Format(const Node&, const OptionRules&) { return {}; }
  static std::vector<OptionDoc> Nested() { return {}; }
};

template <typename M>
requires HasDescribe<M>
struct TypeOf<M> {
  using Leaf = M;
  static constexpr LeafType kLeaf = LeafType::kText;
  static bool Read(const Slot& slot, M& out) {
    return ReadOptions(MakeOptionSet<M>(), slot.node, slot.subject, slot.at, &out,
                       slot.diagnostics);
  }
  static std::string Name(const OptionRules&) { return "options"; }
  static std::string Format(const M&, const OptionRules&) { return {}; }
  static std::vector<OptionDoc> Nested() { return Describe<M>(); }
};

template <typename E>
struct TypeOf<std::optional<E>> {
  using Element = TypeOf<E>;
  using Leaf = typename Element::Leaf;
  static constexpr LeafType kLeaf = Element::kLeaf;
  static bool Read(const Slot& slot, std::optional<E>& out) {
    return Element::Read(slot, out.emplace());
  }
  static std::string Name(const OptionRules& rules) { return Element::Name(rules); }
  static std::string Format(const std::optional<E>& value, const OptionRules& rules) {
    return value ? Element::Format(*value, rules) : std::string();
  }
  static std::vector<OptionDoc> Nested() { return Element::Nested(); }
};

template <typename E>
struct TypeOf<std::vector<E>> {
  using Element = TypeOf<E>;
  using Leaf = typename Element::Leaf;
  static constexpr LeafType kLeaf = Element::kLeaf;
  static bool Read(const Slot& slot, std::vector<E>& out) {
    out.clear();
    if (slot.rules.single_as_list && slot.node.IsScalar()) {
      E element{};
      const bool single_ok = Element::Read(slot, element);
      out.push_back(std::move(element));
      return single_ok;
    }
    if (!ExpectList(slot)) return false;
    bool ok = true;
    for (std::size_t i = 0; i < slot.node.items.size(); ++i) {
      E element{};
      ok = Element::Read(slot.Item(i), element) && ok;
      out.push_back(std::move(element));
    }
    return ok;
  }
  static std::string Name(const OptionRules& rules) { return "list of " + Element::Name(rules); }
  static std::string Format(const std::vector<E>& value, const OptionRules& rules) {
    std::string text = "[";
    for (const E& element : value) {
      text.append(text.size() > 1 ? ", " : "").append(Element::Format(element, rules));
    }
    return text.append("]");
  }
  static std::vector<OptionDoc> Nested() { return Element::Nested(); }
};

template <typename E>
struct TypeOf<std::vector<std::pair<std::string, E>>> {
  using Element = TypeOf<E>;
  using Leaf = typename Element::Leaf;
  static constexpr LeafType kLeaf = Element::kLeaf;
  static bool Read(const Slot& slot, std::vector<std::pair<std::string, E>>& out) {
    out.clear();
    if (!ExpectMap(slot)) return false;
    bool ok = true;
    for (const Node::Member& member : slot.node.members) {
      auto& [key, element] = out.emplace_back(member.key, E{});
      ok = Element::Read(slot.Entry(member), element) && ok;
    }
    return ok;
  }
  static std::string Name(const OptionRules& rules) { return "map of " + Element::Name(rules); }
  static std::string Format(const std::vector<std::pair<std::string, E>>&, const OptionRules&) {
    return {};
  }
  static std::vector<OptionDoc> Nested() { return Element::Nested(); }
};

}  // namespace internal

// Adds limits to one option, in the statement that declares it.
template <typename M>
class OptionBuilder final {
  using Reading = internal::TypeOf<M>;

 public:
  using Leaf = typename Reading::Leaf;

  explicit OptionBuilder(internal::Option& option) : option_(option) {}

  OptionBuilder& AtLeast(Leaf least) {
    if constexpr (std::same_as<Leaf, double>) {
      option_.rules.least_real = least;
    } else {
      option_.rules.least = Type_<Leaf>::To(least);
    }
    return *this;
  }
  OptionBuilder& AtMost(Leaf most) {
    if constexpr (std::same_as<Leaf, double>) {
      option_.rules.most_real = most;
    } else {
      option_.rules.most = Type_<Leaf>::To(most);
    }
    return *this;
  }
  OptionBuilder& Between(Leaf least, Leaf most) { return AtLeast(least).AtMost(most); }
  // The words of an enum.
  OptionBuilder& OneOf(std::initializer_list<std::pair<std::string_view, Leaf>> words) {
    for (const auto& [word, value] : words) Or(word, value);
    return *this;
  }
  // A word that is allowed beside numbers: `auto`.
  OptionBuilder& Or(std::string_view word, Leaf value) {
    option_.rules.words.emplace_back(word, Type_<Leaf>::To(value));
    return *this;
  }
  OptionBuilder& NotEmpty() {
    option_.rules.not_empty = true;
    return *this;
  }
  // Of a list: one value may stand for a list of one.
  OptionBuilder& OrSingle() {
    option_.rules.single_as_list = true;
    return *this;
  }
  // As written in YAML, after the option's name.
  OptionBuilder& Example(std::string_view example) {
    option_.example = example;
    return *this;
  }

 private:
  template <typename L>
  using Type_ = internal::TypeOf<L>;

  internal::Option& option_;
};

template <typename T>
class Schema final {
 public:
  template <typename M>
  OptionBuilder<M> Required(std::string_view name, M T::*member, std::string_view description) {
    return Add(name, member, description, Presence::kRequired);
  }
  template <typename M>
  OptionBuilder<M> Optional(std::string_view name, M T::*member, std::string_view description) {
    return Add(name, member, description, Presence::kOptional);
  }
  // Where the value is no map it is meant for option `name`.
  void Shorthand(std::string_view name) { set_.shorthand = name; }
  // The component has no named options: its value is that of `member`.
  template <typename M>
  OptionBuilder<M> Whole(M T::*member, std::string_view description) {
    set_.whole = true;
    return Add({}, member, description, Presence::kRequired);
  }

  const internal::OptionSet& set() const { return set_; }

 private:
  enum class Presence { kRequired, kOptional };

  template <typename M>
  OptionBuilder<M> Add(std::string_view name, M T::*member, std::string_view description,
                       Presence presence) {
    using Reading = internal::TypeOf<M>;
    internal::Option& option = set_.options.emplace_back();
    option.name = name;
    option.description = description;
    option.required = presence == Presence::kRequired;
    option.takes_null = std::same_as<typename Reading::Leaf, Node> || internal::HasDescribe<M>;
    option.leaf = Reading::kLeaf;
    option.read = [member](const internal::Slot& slot, void* options) {
      return Reading::Read(slot, static_cast<T*>(options)->*member);
    };
    option.format = [member](const void* options, const internal::OptionRules& rules) {
      return Reading::Format(static_cast<const T*>(options)->*member, rules);
    };
    option.type_name = &Reading::Name;
    option.nested = &Reading::Nested;
    return OptionBuilder<M>(option);
  }

  internal::OptionSet set_;
};

template <typename T>
const internal::OptionSet internal::MakeOptionSet() {
  Schema<T> schema;
  T::Describe(schema);
  return schema.set();
}

template <typename T>
std::optional<T> Read(const Node& node, std::string_view what, Diagnostics& diagnostics,
                      const Position* at) {
  std::optional<T> options(std::in_place);
  if (!ReadInto(*options, node, what, diagnostics, at)) options.reset();
  return options;
}

template <typename T>
bool ReadInto(T& options, const Node& node, std::string_view what, Diagnostics& diagnostics,
              const Position* at) {
  return internal::ReadOptions(internal::MakeOptionSet<T>(), node, "`" + std::string(what) + "`",
                               at != nullptr ? *at : node.position, &options, diagnostics);
}

template <typename T>
std::vector<OptionDoc> Describe() {
  const T defaults{};
  return internal::DescribeOptions(internal::MakeOptionSet<T>(), &defaults);
}

}  // namespace runnel
