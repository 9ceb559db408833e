// The codecs that there are, by the name that a pipeline file calls them.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "pipelines/codecs/codec.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"

namespace runnel {

// One codec as its file declares it.
struct Codec {
  std::string_view name;
  std::string_view description;  // one sentence, for the manual
  // Payloads as they are written, and the records that they are, as JSON; for the manual
  // and its test. Lines of a payload end with \n.
  std::string_view payload;
  std::string_view records;
  // `options` is kNull where the file gives only the name; `at` is the place of the name.
  // nullptr after an error.
  std::unique_ptr<const Format> (*compile)(const Node& options, const Position& at,
                                           Diagnostics& diagnostics);
  std::vector<OptionDoc> (*options)();  // nullptr: it has none
};

// In the order of codecs.def.
std::span<const Codec> Codecs();

// `decode:` and `encode:`: a name, or a map with one name and its options; kNull is json.
// nullptr after an error.
std::unique_ptr<const Format> CompileFormat(const Node& node, const Position& at,
                                            Diagnostics& diagnostics);
// The name that `node` gives.
std::string_view FormatName(const Node& node);

namespace codecs {
#define CODEC(name) Codec name();
#include "pipelines/codecs/codecs.def"
#undef CODEC
}  // namespace codecs

}  // namespace runnel
