// Node: a configuration tree with positions, whatever text it came from.
//
// config/ makes it from YAML; the daemon sends it to the workers in a journal
// record (Encode, Decode); plan/ compiles it. Order of maps is kept; keys are
// unique (the reader of the text has refused duplicates).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/base/result.h"
#include "pipelines/spec/diagnostics.h"

namespace runnel {

class Node final {
 public:
  static constexpr int kDepthMax = 64;  // a lone scalar has depth 1
  static constexpr std::size_t kNodesMax = 100'000;

  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };
  // Where the text of a scalar came from; the text of a kCredential is never
  // printed, logged or sent to a worker.
  enum class Origin : std::uint8_t { kSource, kEnvironment, kCredential };
  struct Member;

  static Node Scalar(std::string text, bool quoted, Position position);

  Kind kind = Kind::kNull;
  // kScalar: the text after YAML's own escapes and after ${} substitution.
  std::string text;
  // kScalar: quoted or a block scalar in the source, so a string and never a number.
  bool quoted = false;
  Origin origin = Origin::kSource;
  Position position;
  std::vector<Node> items;      // kSequence
  std::vector<Member> members;  // kMap

  bool IsMap() const { return kind == Kind::kMap; }
  bool IsSequence() const { return kind == Kind::kSequence; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  // The value of `key`, or nullptr.
  const Node* Find(std::string_view key) const;

  // What this is, for messages: `a list`, `a map`, `text`, `nothing`.
  std::string_view KindName() const;

  // Bytes without file names, positions and origins: two trees that mean the same have
  // the same bytes, so their hash tells whether a plan has changed.
  std::string Encode() const;
  // Refuses anything that Encode does not make, more than kDepthMax levels and
  // more than kNodesMax nodes.
  static Result<Node> Decode(std::string_view bytes);
};

struct Node::Member {
  std::string key;
  Position position;  // of the key
  Node value;
};

}  // namespace runnel
