// Every key of every shipped example, misspelt by one letter in every way: the message says
// which one was meant.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/cases.h"
#include "config/yaml.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

// Maps whose keys the user chooses.
const std::set<std::string>& Chosen() {
  static const std::set<std::string> names = {"set",   "select", "aggregate", "rename", "schema",
                                              "sinks", "json",   "ledger",    "types"};
  return names;
}

std::vector<std::string> Misspelt(const std::string& word) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word.size() > 2) all.push_back(word.substr(0, i) + word.substr(i + 1));
    all.push_back(word.substr(0, i) + word[i] + word.substr(i));
    all.push_back(word.substr(0, i) + "q" + word.substr(i + 1));
    if (i > 0) {
      std::string swapped = word;
      std::swap(swapped[i - 1], swapped[i]);
      all.push_back(swapped);
    }
  }
  std::erase(all, word);
  return all;
}

class Misspeller {
 public:
  explicit Misspeller(Node root) : root_(std::move(root)) { RegisterAll(registry_); }

  void Run() { Visit(root_, ""); }
  int tried() const { return tried_; }

 private:
  void Visit(Node& node, const std::string& name) {
    if (name == "json") return;
    for (Node& item : node.items) Visit(item, name);
    for (Node::Member& member : node.members) {
      if (!Chosen().contains(name)) Try(member, node);
      Visit(member.value, Chosen().contains(name) ? "" : member.key);
    }
  }

  void Try(Node::Member& member, const Node& map) {
    const std::string right = member.key;
    for (const std::string& wrong : Misspelt(right)) {
      if (map.Find(wrong) != nullptr) continue;  // YAML: a duplicate key
      member.key = wrong;
      Diagnostics diagnostics;
      CompilePlan(root_, "p", registry_, {}, diagnostics);
      ReadCases(root_, diagnostics);
      const std::string said = diagnostics.Format();
      EXPECT_NE(said.find("did you mean `" + right + "`?"), std::string::npos)
          << wrong << " for " << right << ":\n"
          << said;
      ++tried_;
    }
    member.key = right;
  }

  Node root_;
  Registry registry_;
  int tried_ = 0;
};

TEST(Misspelling, OfAnyKeyOfTheExamplesSaysWhichWasMeant) {
  int tried = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RUNNEL_EXAMPLES)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    Diagnostics diagnostics;
    std::optional<Node> root = ParseYaml(text.str(), entry.path().filename(), {}, diagnostics);
    ASSERT_TRUE(root.has_value()) << diagnostics.Format();
    Misspeller misspeller(std::move(*root));
    misspeller.Run();
    tried += misspeller.tried();
    if (HasFailure()) return;
  }
  EXPECT_GT(tried, 2'000);
}

}  // namespace
}  // namespace runnel
