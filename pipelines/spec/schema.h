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
// The default of an optional one is what a default-constructed Options holds. All
// texts are literals: they are kept as they stand. A Describe is a run of calls of
// functions that are no templates, because there are many and each runs once.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
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

enum class LeafType : std::uint8_t { kBool, kInteger, kReal, kText, kDuration, kSize, kWord };

// What a value must satisfy beyond its type. Of lists and maps: each element.
struct OptionRules {
  std::optional<std::int64_t> least;  // whole numbers, microseconds, bytes
  std::optional<std::int64_t> most;
  std::optional<double> least_real;
  std::optional<double> most_real;
  std::vector<std::pair<std::string_view, std::int64_t>> words;
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

struct OptionSet;
// Fills the set with the options of the component at `value`.
using DescribeFunction = void (*)(OptionSet& set, void* value);

// How values of a C++ type are read and printed: a constant for each type, so that whoever
// does it is no template.
struct ValueType {
  enum class Shape : std::uint8_t { kLeaf, kAny, kOptions, kOptional, kList, kMap };
  Shape shape = Shape::kLeaf;
  LeafType leaf = LeafType::kText;     // of the innermost element
  std::uint8_t bytes = 0;              // of a leaf that is a whole number
  const ValueType* element = nullptr;  // kOptional, kList, kMap
  void (*clear)(void* value) = nullptr;
  // A new element; `key` is for maps.
  void* (*add)(void* value, const std::string& key) = nullptr;
  // nullptr behind the last one; not of maps.
  const void* (*at)(const void* value, std::size_t index) = nullptr;
  DescribeFunction describe = nullptr;  // kOptions
  std::vector<OptionDoc> (*docs)() = nullptr;
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

// The same of any type; `value` is of the C++ type that `type` belongs to.
bool ReadValue(const ValueType& type, const Slot& slot, void* value);
std::string FormatValue(const ValueType& type, const void* value, const OptionRules& rules);
std::string TypeName(const ValueType& type, const OptionRules& rules);

struct Option {
  std::string_view name;
  std::string_view description;
  std::string_view example;
  const ValueType* type;
  void* value;  // in the component that is read or described
  bool required = false;
  OptionRules rules;
};

struct OptionSet {
  std::vector<Option> options;
  std::string_view shorthand;
  bool whole = false;  // the one option is the node itself

  Option& AddRequired(const char* name, const char* description, const ValueType& type,
                      void* value);
  Option& AddOptional(const char* name, const char* description, const ValueType& type,
                      void* value);
  Option& AddWhole(const char* description, const ValueType& type, void* value);
};

void SetLeast(Option& option, std::int64_t least);
void SetLeast(Option& option, double least);
void SetMost(Option& option, std::int64_t most);
void SetMost(Option& option, double most);
void AddWord(Option& option, const char* word, std::int64_t value);

bool ReadComponent(DescribeFunction describe, void* component, const Node& node,
                   std::string_view what, Diagnostics& diagnostics, const Position* at);
// `component` has the defaults.
std::vector<OptionDoc> DescribeComponent(DescribeFunction describe, void* component);

template <typename T>
void DescribeInto(OptionSet& set, void* component) {
  Schema<T> schema(set, *static_cast<T*>(component));
  T::Describe(schema);
}

template <typename M>
concept HasDescribe = requires(Schema<M>& schema) {
  M::Describe(schema);
};

// The ValueType of a C++ type; `Leaf` is what limits and words apply to.
template <typename M>
struct TypeOf;

// Read and printed as its bytes; no enum has negative values.
template <typename M, LeafType kLeaf>
struct WholeType {
  static_assert(std::is_trivially_copyable_v<M> && sizeof(M) <= sizeof(std::int64_t));
  using Leaf = M;
  static constexpr ValueType kType = {.leaf = kLeaf, .bytes = sizeof(M)};
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
  static constexpr ValueType kType = {.leaf = LeafType::kReal};
};

template <>
struct TypeOf<std::string> {
  using Leaf = std::string;
  static constexpr ValueType kType = {.leaf = LeafType::kText};
};

template <>
struct TypeOf<Node> {
  using Leaf = Node;
  static constexpr ValueType kType = {.shape = ValueType::Shape::kAny};
};

template <typename M>
requires HasDescribe<M>
struct TypeOf<M> {
  using Leaf = M;
  static constexpr ValueType kType = {
      .shape = ValueType::Shape::kOptions, .describe = &DescribeInto<M>, .docs = &Describe<M>};
};

template <typename E>
struct TypeOf<std::optional<E>> {
  using Leaf = typename TypeOf<E>::Leaf;
  static void* Add(void* value, const std::string&) {
    return &static_cast<std::optional<E>*>(value)->emplace();
  }
  static const void* At(const void* value, std::size_t) {
    const auto& there = *static_cast<const std::optional<E>*>(value);
    return there.has_value() ? &*there : nullptr;
  }
  static constexpr ValueType kType = {.shape = ValueType::Shape::kOptional,
                                      .leaf = TypeOf<E>::kType.leaf,
                                      .element = &TypeOf<E>::kType,
                                      .add = &Add,
                                      .at = &At};
};

template <typename E>
struct TypeOf<std::vector<E>> {
  using Leaf = typename TypeOf<E>::Leaf;
  static void Clear(void* value) { static_cast<std::vector<E>*>(value)->clear(); }
  static void* Add(void* value, const std::string&) {
    return &static_cast<std::vector<E>*>(value)->emplace_back();
  }
  static const void* At(const void* value, std::size_t index) {
    const auto& list = *static_cast<const std::vector<E>*>(value);
    return index < list.size() ? &list[index] : nullptr;
  }
  static constexpr ValueType kType = {.shape = ValueType::Shape::kList,
                                      .leaf = TypeOf<E>::kType.leaf,
                                      .element = &TypeOf<E>::kType,
                                      .clear = &Clear,
                                      .add = &Add,
                                      .at = &At};
};

template <typename E>
struct TypeOf<std::vector<std::pair<std::string, E>>> {
  using Map = std::vector<std::pair<std::string, E>>;
  using Leaf = typename TypeOf<E>::Leaf;
  static void Clear(void* value) { static_cast<Map*>(value)->clear(); }
  static void* Add(void* value, const std::string& key) {
    return &static_cast<Map*>(value)->emplace_back(key, E{}).second;
  }
  static constexpr ValueType kType = {.shape = ValueType::Shape::kMap,
                                      .leaf = TypeOf<E>::kType.leaf,
                                      .element = &TypeOf<E>::kType,
                                      .clear = &Clear,
                                      .add = &Add};
};

inline std::int64_t ToNumber(Duration duration) { return duration.count(); }
inline std::int64_t ToNumber(ByteSize size) { return size.bytes; }
inline std::int64_t ToNumber(std::int64_t number) { return number; }
inline double ToNumber(double number) { return number; }
template <typename E>
requires std::is_enum_v<E>
inline std::int64_t ToNumber(E value) { return static_cast<std::int64_t>(value); }

}  // namespace internal

// Adds limits to one option, in the statement that declares it.
template <typename M>
class OptionBuilder final {
 public:
  using Leaf = typename internal::TypeOf<M>::Leaf;

  explicit OptionBuilder(internal::Option& option) : option_(option) {}

  OptionBuilder& AtLeast(Leaf least) {
    internal::SetLeast(option_, internal::ToNumber(least));
    return *this;
  }
  OptionBuilder& AtMost(Leaf most) {
    internal::SetMost(option_, internal::ToNumber(most));
    return *this;
  }
  OptionBuilder& Between(Leaf least, Leaf most) { return AtLeast(least).AtMost(most); }
  // The words of an enum.
  OptionBuilder& OneOf(std::initializer_list<std::pair<const char*, Leaf>> words) {
    for (const auto& [word, value] : words) Or(word, value);
    return *this;
  }
  // A word that is allowed beside numbers: `auto`.
  OptionBuilder& Or(const char* word, Leaf value) {
    internal::AddWord(option_, word, internal::ToNumber(value));
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
  OptionBuilder& Example(const char* example) {
    option_.example = example;
    return *this;
  }

 private:
  internal::Option& option_;
};

template <typename T>
class Schema final {
 public:
  // Both outlive it.
  Schema(internal::OptionSet& set, T& component) : set_(set), component_(component) {}
  // For the options that `T` leaves to those who inherit it.
  template <typename Derived>
  requires std::derived_from<Derived, T> Schema(const Schema<Derived>& other)
      : set_(other.set_), component_(other.component_) {}

  template <typename M>
  OptionBuilder<M> Required(const char* name, M T::*member, const char* description) {
    return OptionBuilder<M>(
        set_.AddRequired(name, description, internal::TypeOf<M>::kType, At(member)));
  }
  template <typename M>
  OptionBuilder<M> Optional(const char* name, M T::*member, const char* description) {
    return OptionBuilder<M>(
        set_.AddOptional(name, description, internal::TypeOf<M>::kType, At(member)));
  }
  // Where the value is no map it is meant for option `name`.
  void Shorthand(const char* name) { set_.shorthand = name; }
  // The component has no named options: its value is that of `member`.
  template <typename M>
  OptionBuilder<M> Whole(M T::*member, const char* description) {
    return OptionBuilder<M>(set_.AddWhole(description, internal::TypeOf<M>::kType, At(member)));
  }

 private:
  template <typename Other>
  friend class Schema;

  template <typename M>
  void* At(M T::*member) const {
    return std::addressof(component_.*member);
  }

  internal::OptionSet& set_;
  T& component_;
};

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
  return internal::ReadComponent(&internal::DescribeInto<T>, &options, node, what, diagnostics, at);
}

template <typename T>
std::vector<OptionDoc> Describe() {
  T defaults{};
  return internal::DescribeComponent(&internal::DescribeInto<T>, &defaults);
}

}  // namespace runnel
