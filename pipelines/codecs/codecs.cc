#include "pipelines/codecs/codecs.h"

#include <string>

namespace runnel {

std::span<const Codec> Codecs() {
  static const Codec all[] = {
#define CODEC(name) codecs::name(),
#include "pipelines/codecs/codecs.def"
#undef CODEC
  };
  return all;
}

std::string_view FormatName(const Node& node) {
  if (node.IsMap() && node.members.size() == 1) return node.members[0].key;
  return node.IsScalar() ? std::string_view(node.text) : std::string_view("json");
}

std::unique_ptr<const Format> CompileFormat(const Node& node, const Position& at,
                                            Diagnostics& diagnostics) {
  static const Node kNoOptions;
  const bool with_options = node.IsMap() && node.members.size() == 1;
  if (!with_options && !node.IsScalar() && node.kind != Node::Kind::kNull) {
    diagnostics.Error(node.position,
                      "expected a codec, such as `json`, or one with its options, found " +
                          std::string(node.KindName()));
    return nullptr;
  }
  const std::string_view name = FormatName(node);
  const Position& place = with_options      ? node.members[0].position
                          : node.IsScalar() ? node.position
                                            : at;
  std::vector<std::string_view> names;
  for (const Codec& codec : Codecs()) {
    if (codec.name == name) {
      return codec.compile(with_options ? node.members[0].value : kNoOptions, place, diagnostics);
    }
    names.push_back(codec.name);
  }
  const std::string_view meant = DidYouMean(name, names);
  diagnostics.Error(place, "unknown codec `" + std::string(name) + "`",
                    meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
  return nullptr;
}

}  // namespace runnel
