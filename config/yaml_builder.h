// TreeBuilder: makes a Node tree of the events of a YAML parser.
//
// Sees to what YAML leaves to its reader: duplicate keys, merge keys, aliases
// within limits, keys without colon, quotes without end. Used by yaml.cc alone.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/source_text.h"
#include "config/yaml.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel::internal {

class TreeBuilder final {
 public:
  using Anchor = std::size_t;  // 0: none

  // Borrows all three.
  TreeBuilder(const SourceText& source, const YamlLimits& limits, Diagnostics& diagnostics);

  // One event each, at a byte of the source; false: a limit is reached, stop.
  bool Null(std::size_t offset, Anchor anchor);
  bool Alias(std::size_t offset, Anchor anchor);
  bool Scalar(std::size_t offset, Anchor anchor, const std::string& text, bool quoted);
  bool Start(Node::Kind kind, std::size_t offset, Anchor anchor);
  bool End();

  // The innermost open list or map that begins with `bracket`.
  std::size_t OpenFlow(char bracket) const;
  // kNull where there was no event; nullopt when something was wrong. REQUIRES:
  // every Start has had its End.
  std::optional<Node> TakeRoot();

 private:
  // What a subtree takes of the limits.
  struct Size {
    std::size_t nodes = 0;
    std::size_t bytes = 0;
    int depth = 0;
  };
  struct Anchored {
    Node node;
    Size size;
    bool complete = false;
  };
  // A key whose value has not come yet.
  struct Key {
    std::string text;
    std::size_t offset = 0;
    Position position;
    std::size_t end = 0;  // behind its last character
    bool merge = false;
    bool discard = false;  // wrong, and reported
    bool goes_on = false;  // the rest of a call that YAML has cut at a comma
  };
  // A list or map whose end has not come yet.
  struct Frame {
    Node node;
    Size size;
    Anchor anchor = 0;
    std::size_t offset = 0;
    std::optional<Key> key;
    std::unordered_map<std::string, int> lines;  // of each key
    bool has_merge = false;
    std::vector<Node> merged;
    std::size_t merge_at = 0;  // index of the members before which they go
  };

  void Error(std::size_t offset, std::string message, std::string hint = {});
  void NoColon(const Key& key);
  bool AwaitsKey() const;
  bool Charge(const Size& size, const Position& position);
  bool TakeKey(std::size_t offset, const std::string& text, bool quoted);
  void RefuseKey(std::size_t offset, std::string message, std::string hint = {});
  bool Place(Node node, const Size& size, Anchor anchor);
  void PlaceMember(Frame& frame, Node node);
  void PlaceMerge(Frame& frame, const Key& key, Node node);
  static void ApplyMerges(Frame& frame);
  // Behind the closing quote of the text at `offset`; nullopt where it has none.
  std::optional<std::size_t> QuoteEnd(std::size_t offset) const;

  const SourceText& source_;
  const YamlLimits& limits_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::unordered_map<Anchor, Anchored> anchors_;
  Size total_;
  Node root_;
  // Of keys. yaml-cpp makes up keys where a bracket is never closed, so these
  // count only where there is no error of syntax and no limit reached.
  std::vector<Diagnostic> doubtful_;
  bool failed_ = false;
};

}  // namespace runnel::internal
