#include "config/yaml_builder.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace runnel::internal {
namespace {

// Plain text with a bracket that is still open: YAML has ended it at a comma that
// belongs to a call, as in `{ p95: quantile(temp, 0.95) }`.
bool IsCutCall(const Node& node) {
  if (!node.IsScalar() || node.quoted) return false;
  return std::count(node.text.begin(), node.text.end(), '(') >
         std::count(node.text.begin(), node.text.end(), ')');
}

}  // namespace

TreeBuilder::TreeBuilder(const SourceText& source, const YamlLimits& limits,
                         Diagnostics& diagnostics)
    : source_(source), limits_(limits), diagnostics_(diagnostics) {
  root_.position = source.At(0);
}

bool TreeBuilder::Null(std::size_t offset, Anchor anchor) {
  if (AwaitsKey()) {
    RefuseKey(offset, "a key must be text, found nothing", "put it in quotes");
    return true;
  }
  if (!Charge({1, 0, 1}, source_.At(offset))) return false;
  Node node;
  node.position = source_.At(offset);
  if (!frames_.empty() && frames_.back().key) {
    const Key& key = *frames_.back().key;
    if (key.goes_on) {
      Frame& frame = frames_.back();
      frame.node.members.back().value.text += ", " + key.text;
      frame.key.reset();
      return true;
    }
    const std::string_view between =
        offset > key.end ? source_.From(key.end).substr(0, offset - key.end) : std::string_view();
    if (!key.discard && between.find(':') == std::string_view::npos) NoColon(key);
    // The parser is at the next token by now, unless there is a word for nothing.
    node.position = key.position;
  }
  return Place(std::move(node), {1, 0, 1}, anchor);
}

bool TreeBuilder::Alias(std::size_t offset, Anchor anchor) {
  if (AwaitsKey()) {
    RefuseKey(offset, "an alias cannot be a key");
    return true;
  }
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end() || !found->second.complete) {
    Error(offset, "an alias of the list or map that it is in");
    return false;
  }
  if (!Charge(found->second.size, source_.At(offset))) return false;
  return Place(found->second.node, found->second.size, 0);
}

bool TreeBuilder::Scalar(std::size_t offset, Anchor anchor, const std::string& text, bool quoted) {
  const std::string_view source = source_.From(offset);
  const bool in_quotes = source.starts_with('"') || source.starts_with('\'');
  if (quoted && in_quotes && !QuoteEnd(offset)) {
    Error(offset, "a quote that is never closed");
    return false;
  }
  if (text.find('\0') != std::string::npos) {
    Error(offset, "text that contains a NUL character");
    return false;
  }
  const Size size = {1, text.size(), 1};
  if (!Charge(size, source_.At(offset))) return false;
  if (AwaitsKey()) return TakeKey(offset, text, quoted);
  return Place(Node::Scalar(text, quoted, source_.At(offset)), size, anchor);
}

bool TreeBuilder::Start(Node::Kind kind, std::size_t offset, Anchor anchor) {
  if (AwaitsKey()) {
    RefuseKey(offset,
              kind == Node::Kind::kMap ? "a key must be text, found a map"
                                       : "a key must be text, found a list",
              "text that contains `{` or `[` needs quotes");
  }
  if (!Charge({1, 0, 1}, source_.At(offset))) return false;
  Frame& frame = frames_.emplace_back();
  frame.node.kind = kind;
  frame.node.position = source_.At(offset);
  frame.size = {1, 0, 0};
  frame.anchor = anchor;
  frame.offset = offset;
  if (anchor != 0) anchors_[anchor].complete = false;
  return true;
}

bool TreeBuilder::End() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  ApplyMerges(frame);
  ++frame.size.depth;
  // A list or map in the place of a key was refused when it began.
  const bool was_key = !frames_.empty() && frames_.back().key && frames_.back().key->discard &&
                       frames_.back().key->offset == frame.offset;
  if (was_key) return true;
  return Place(std::move(frame.node), frame.size, frame.anchor);
}

std::size_t TreeBuilder::OpenFlow(char bracket) const {
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    if (source_.From(frame->offset).starts_with(bracket)) return frame->offset;
  }
  return source_.text().size();
}

std::optional<Node> TreeBuilder::TakeRoot() {
  for (Diagnostic& diagnostic : doubtful_) {
    diagnostics_.Error(std::move(diagnostic.position), std::move(diagnostic.message),
                       std::move(diagnostic.hint));
    failed_ = true;
  }
  if (failed_) return std::nullopt;
  return std::move(root_);
}

void TreeBuilder::Error(std::size_t offset, std::string message, std::string hint) {
  failed_ = true;
  diagnostics_.Error(source_.At(offset), std::move(message), std::move(hint));
}

void TreeBuilder::NoColon(const Key& key) {
  Diagnostic& diagnostic = doubtful_.emplace_back();
  diagnostic.position = key.position;
  diagnostic.message = "a colon is missing after `" + key.text + "`";
  const bool flow = source_.From(frames_.back().offset).starts_with('{');
  if (key.text.find(':') != std::string::npos) {
    diagnostic.hint = "YAML wants a blank after the colon";
  } else if (flow) {
    diagnostic.hint = "text in braces needs quotes";
  }
}

bool TreeBuilder::AwaitsKey() const {
  return !frames_.empty() && frames_.back().node.IsMap() && !frames_.back().key;
}

bool TreeBuilder::Charge(const Size& size, const Position& position) {
  total_.nodes += size.nodes;
  total_.bytes += size.bytes;
  std::string message;
  if (static_cast<int>(frames_.size()) + size.depth > limits_.depth_max) {
    message = "more than " + std::to_string(limits_.depth_max) + " levels of lists and maps";
  } else if (total_.nodes > limits_.nodes_max) {
    message = "more than " + std::to_string(limits_.nodes_max) + " values, aliases expanded";
  } else if (total_.bytes > limits_.text_max) {
    message = "more than " + std::to_string(limits_.text_max) + " bytes of text, aliases expanded";
  } else {
    return true;
  }
  failed_ = true;
  diagnostics_.Error(position, std::move(message));
  return false;
}

bool TreeBuilder::TakeKey(std::size_t offset, const std::string& text, bool quoted) {
  Frame& frame = frames_.back();
  Key key;
  key.text = text;
  key.offset = offset;
  key.position = source_.At(offset);
  key.end = quoted ? QuoteEnd(offset).value_or(offset) : offset + text.size();
  key.merge = !quoted && text == "<<";
  if (text.empty()) {
    Error(offset, "an empty key");
    key.discard = true;
  }
  if (key.merge && std::exchange(frame.has_merge, true)) {
    Error(offset, "a second `<<` in one map", "merge several maps by a list: `<<: [*a, *b]`");
    key.discard = true;
  }
  key.goes_on = !quoted && source_.From(frame.offset).starts_with('{') &&
                !frame.node.members.empty() && IsCutCall(frame.node.members.back().value);
  if (!key.merge && !key.goes_on) {
    const auto [first, fresh] = frame.lines.emplace(text, key.position.line);
    if (!fresh) {
      Error(offset, "duplicate key `" + text + "`",
            "it is in line " + std::to_string(first->second) + " already");
      key.discard = true;
    }
  }
  frame.key = std::move(key);
  return true;
}

void TreeBuilder::RefuseKey(std::size_t offset, std::string message, std::string hint) {
  Diagnostic diagnostic;
  diagnostic.position = source_.At(offset);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  doubtful_.push_back(std::move(diagnostic));
  Key key;
  key.offset = offset;
  key.discard = true;
  frames_.back().key = std::move(key);
}

bool TreeBuilder::Place(Node node, const Size& size, Anchor anchor) {
  if (anchor != 0) {
    // The copy for its aliases counts like one more alias.
    total_.nodes += size.nodes;
    total_.bytes += size.bytes;
    if (!Charge({0, 0, 0}, node.position)) return false;
    anchors_[anchor] = {node, size, true};
  }
  if (frames_.empty()) {
    root_ = std::move(node);
    return true;
  }
  Frame& frame = frames_.back();
  frame.size.nodes += size.nodes;
  frame.size.bytes += size.bytes;
  frame.size.depth = std::max(frame.size.depth, size.depth);
  if (frame.node.IsSequence()) {
    std::vector<Node>& items = frame.node.items;
    const bool goes_on = !items.empty() && IsCutCall(items.back()) && node.IsScalar() &&
                         !node.quoted && source_.From(frame.offset).starts_with('[');
    if (goes_on) {
      items.back().text += ", " + node.text;
    } else {
      items.push_back(std::move(node));
    }
  } else {
    PlaceMember(frame, std::move(node));
  }
  return true;
}

void TreeBuilder::PlaceMember(Frame& frame, Node node) {
  if (!frame.key) return;
  const Key key = std::move(*frame.key);
  frame.key.reset();
  if (key.discard) return;
  if (key.goes_on) {
    Error(key.offset, "a `(` in front of this key is never closed");
    return;
  }
  if (key.merge) {
    PlaceMerge(frame, key, std::move(node));
    return;
  }
  frame.size.bytes += key.text.size();
  frame.node.members.push_back({key.text, key.position, std::move(node)});
}

void TreeBuilder::PlaceMerge(Frame& frame, const Key& key, Node node) {
  frame.merge_at = frame.node.members.size();
  if (node.IsMap()) {
    frame.merged.push_back(std::move(node));
    return;
  }
  const auto is_map = [](const Node& item) { return item.IsMap(); };
  if (node.IsSequence() && std::all_of(node.items.begin(), node.items.end(), is_map)) {
    frame.merged = std::move(node.items);
    return;
  }
  Error(key.offset, "`<<` merges a map or a list of maps", "put it in quotes if it is a name");
}

void TreeBuilder::ApplyMerges(Frame& frame) {
  std::vector<Node::Member> added;
  for (Node& map : frame.merged) {
    for (Node::Member& member : map.members) {
      if (frame.lines.emplace(member.key, 0).second) added.push_back(std::move(member));
    }
  }
  const auto at = frame.node.members.begin() + static_cast<std::ptrdiff_t>(frame.merge_at);
  frame.node.members.insert(at, std::make_move_iterator(added.begin()),
                            std::make_move_iterator(added.end()));
}

std::optional<std::size_t> TreeBuilder::QuoteEnd(std::size_t offset) const {
  const std::string_view text = source_.text();
  if (offset >= text.size()) return offset;
  const char quote = text[offset];
  if (quote != '"' && quote != '\'') return offset;  // a block scalar
  for (std::size_t i = offset + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == '\'';
      if (!doubled) return i + 1;
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace runnel::internal
