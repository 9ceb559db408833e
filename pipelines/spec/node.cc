#include "pipelines/spec/node.h"

#include <unordered_set>

#include "pipelines/base/bytes.h"

namespace runnel {
namespace {

constexpr std::uint8_t kFormat = 1;

// The first byte of each encoded node.
enum class Tag : std::uint8_t { kNull, kPlain, kQuoted, kSequence, kMap };

void Put(const Node& node, ByteWriter& out) {
  const auto tag = [&out](Tag value) { out.U8(static_cast<std::uint8_t>(value)); };
  switch (node.kind) {
    case Node::Kind::kNull:
      tag(Tag::kNull);
      break;
    case Node::Kind::kScalar:
      tag(node.quoted ? Tag::kQuoted : Tag::kPlain);
      out.String(node.text);
      break;
    case Node::Kind::kSequence:
      tag(Tag::kSequence);
      out.Varint(node.items.size());
      for (const Node& item : node.items) Put(item, out);
      break;
    case Node::Kind::kMap:
      tag(Tag::kMap);
      out.Varint(node.members.size());
      for (const Node::Member& member : node.members) {
        out.String(member.key);
        Put(member.value, out);
      }
      break;
  }
}

class Decoder final {
 public:
  explicit Decoder(std::string_view bytes) : in_(bytes) {}

  bool Run(Node& root) { return in_.U8() == kFormat && Take(root, 1) && in_.ok() && in_.AtEnd(); }

 private:
  bool Take(Node& node, int depth) {
    if (depth > Node::kDepthMax || ++nodes_ > Node::kNodesMax) return false;
    const std::uint8_t tag = in_.U8();
    if (!in_.ok()) return false;
    switch (static_cast<Tag>(tag)) {
      case Tag::kNull:
        return true;
      case Tag::kPlain:
      case Tag::kQuoted:
        node.kind = Node::Kind::kScalar;
        node.quoted = static_cast<Tag>(tag) == Tag::kQuoted;
        node.text = in_.String();
        return in_.ok();
      case Tag::kSequence:
        return TakeItems(node, depth);
      case Tag::kMap:
        return TakeMembers(node, depth);
    }
    return false;
  }

  bool TakeItems(Node& node, int depth) {
    node.kind = Node::Kind::kSequence;
    const std::uint64_t count = in_.Varint();
    if (count > in_.remaining()) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!Take(node.items.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  bool TakeMembers(Node& node, int depth) {
    node.kind = Node::Kind::kMap;
    const std::uint64_t count = in_.Varint();
    if (count > in_.remaining()) return false;
    std::unordered_set<std::string_view> keys;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string_view key = in_.String();
      if (!in_.ok() || !keys.insert(key).second) return false;
      Node::Member& member = node.members.emplace_back();
      member.key = key;
      if (!Take(member.value, depth + 1)) return false;
    }
    return true;
  }

  ByteReader in_;
  std::size_t nodes_ = 0;
};

}  // namespace

Node Node::Scalar(std::string text, bool quoted, Position position) {
  Node node;
  node.kind = Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  node.position = std::move(position);
  return node;
}

const Node* Node::Find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string_view Node::KindName() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "text";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "nothing";
}

std::string Node::Encode() const {
  ByteWriter out;
  out.U8(kFormat);
  Put(*this, out);
  return out.Take();
}

Result<Node> Node::Decode(std::string_view bytes) {
  Node root;
  // Varints may be written in more bytes than needed, so only the way back tells.
  if (!Decoder(bytes).Run(root) || root.Encode() != bytes) {
    return Error{ErrorKind::kGiveUp, "the encoded configuration is damaged"};
  }
  return root;
}

}  // namespace runnel
