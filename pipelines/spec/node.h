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
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };
  struct Member;

  static Node Scalar(std::string text, bool quoted, Position position);

  Kind kind = Kind::kNull;
  // kScalar: the text after YAML's own escapes and after ${} substitution.
  std::string text;
  // kScalar: quoted or a block scalar in the source, so a string and never a number.
  bool quoted = false;
  Position position;
  std::vector<Node> items;      // kSequence
  std::vector<Member> members;  // kMap

  bool IsMap() const { return kind == Kind::kMap; }
  bool IsSequence() const { return kind == Kind::kSequence; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  // The value of `key`, or nullptr.
  const Node* Find(std::string_view key) const;

  // A short name of what this is, for messages: `a list`, `a map`, `text`, `nothing`.
  std::string_view KindName() const;

  // Bytes without file names and positions: two trees that mean the same have
  // the same bytes, so their hash tells whether a plan has changed.
  std::string Encode() const;
  // Refuses anything that Encode does not make, more than 64 levels and more
  // than 100,000 nodes.
  static Result<Node> Decode(std::string_view bytes);
};

struct Node::Member {
  std::string key;
  Position position;  // of the key
  Node value;
};

}  // namespace runnel
