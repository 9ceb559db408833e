#include "pipelines/spec/node.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

Node Sample() {
  Node map;
  map.kind = Node::Kind::kMap;
  map.position = {"a.yaml", 1, 1};
  map.members.push_back({"plain", {}, Node::Scalar("5", false, {"a.yaml", 1, 8})});
  map.members.push_back({"quoted", {}, Node::Scalar("5", true, {})});
  map.members.push_back({"nothing", {}, Node()});
  Node list;
  list.kind = Node::Kind::kSequence;
  list.items.push_back(Node::Scalar("", true, {}));
  map.members.push_back({"list", {}, list});
  return map;
}

Node Nested(int depth) {
  Node node = Node::Scalar("x", false, {});
  for (int i = 1; i < depth; ++i) {
    Node list;
    list.kind = Node::Kind::kSequence;
    list.items.push_back(std::move(node));
    node = std::move(list);
  }
  return node;
}

Node Wide(std::size_t nodes) {
  Node list;
  list.kind = Node::Kind::kSequence;
  list.items.resize(nodes - 1);
  return list;
}

TEST(Node, ComesBackFromItsBytes) {
  const Node node = Sample();
  const Result<Node> back = Node::Decode(node.Encode());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back.value().Encode(), node.Encode());
  EXPECT_EQ(back.value().Find("plain")->text, "5");
  EXPECT_FALSE(back.value().Find("plain")->quoted);
  EXPECT_TRUE(back.value().Find("quoted")->quoted);
  EXPECT_EQ(back.value().Find("list")->items.size(), 1u);
  EXPECT_EQ(back.value().Find("none"), nullptr);
}

TEST(Node, BytesSayNothingOfPlaces) {
  Node moved = Sample();
  moved.position = {"b.yaml", 9, 9};
  EXPECT_EQ(moved.Encode(), Sample().Encode());
}

TEST(Node, BytesTellTextInQuotesFromANumber) {
  EXPECT_NE(Node::Scalar("5", true, {}).Encode(), Node::Scalar("5", false, {}).Encode());
}

TEST(Node, RefusesDamagedBytes) {
  const std::string bytes = Sample().Encode();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Node::Decode(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Node::Decode(bytes + "x").ok());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const Result<Node> node = Node::Decode(damaged);
      EXPECT_TRUE(!node.ok() || node.value().Encode() == damaged);
    }
  }
  EXPECT_FALSE(Node::Decode(std::string("\x01\x01\x81\x00x", 5)).ok());  // a long varint
  EXPECT_FALSE(Node::Decode(std::string("\x01\x04\x02\x01k\x00\x01k\x00", 9)).ok());  // a key twice
  EXPECT_FALSE(Node::Decode(std::string("\x01\x03\xff\xff\xff\xff\x0f", 7)).ok());
  EXPECT_EQ(Node::Decode("").error().message, "the encoded configuration is damaged");
}

TEST(Node, RefusesMoreThanItsLimits) {
  EXPECT_TRUE(Node::Decode(Nested(Node::kDepthMax).Encode()).ok());
  EXPECT_FALSE(Node::Decode(Nested(Node::kDepthMax + 1).Encode()).ok());
  EXPECT_TRUE(Node::Decode(Wide(Node::kNodesMax).Encode()).ok());
  EXPECT_FALSE(Node::Decode(Wide(Node::kNodesMax + 1).Encode()).ok());
}

}  // namespace
}  // namespace runnel
