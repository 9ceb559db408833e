// ParseYaml: the text of one YAML document as a Node tree with exact places.
//
// A plain `yes`, `on` or `0x1F` stays text, as in YAML 1.2; what a scalar means
// is up to its reader. Aliases are expanded, within the limits. `<<: *base` (or a
// list of maps) adds the keys of `base` that the map itself does not have; of a
// list the first one wins.
//
// Refuses, each with its place: duplicate keys, keys that are not text, tags,
// several documents, a key without colon, a quote that is never closed, and what
// YAML itself refuses. Reports all of these but stops at the first of syntax.
// This is the only file that knows yaml-cpp; nothing of it escapes, no exception
// either.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

struct YamlLimits {
  std::size_t bytes_max = 1024 * 1024;      // of the file
  int depth_max = Node::kDepthMax;          // lists and maps inside each other
  std::size_t nodes_max = Node::kNodesMax;  // with aliases expanded
  std::size_t text_max = 4 * 1024 * 1024;   // bytes of all scalars, with aliases expanded
};

// An empty file is a Node of kind kNull. nullopt after an error.
std::optional<Node> ParseYaml(std::string_view text, const std::string& file,
                              const YamlLimits& limits, Diagnostics& diagnostics);

}  // namespace runnel
