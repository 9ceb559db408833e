// Schema: the one declaration of a component's options.
//
// Options::Describe(Schema<Options>&) names each option once; from that come the
// check of the configuration with did-you-mean, the defaults, the JSON Schema and
// the reference manual. See operators/ for examples.
//
//   struct Options {
//     Duration per{};
//     std::int64_t count = 1;
//     static void Describe(Schema<Options>& schema) {
//       schema.Required("per", &Options::per, "Length of an interval.").AtLeast(1ms);
//       schema.Optional("count", &Options::count, "Records let through.").Between(1, 1'000'000);
//     }
//   };
//   std::optional<Options> options = Read<Options>(node, "throttle", diagnostics);
//
// Types of options: bool, std::int64_t, double, std::string, Duration, ByteSize,
// an enum (schema.Optional(...).OneOf({{"block", Policy::kBlock}, ...})),
// std::vector<T> of those, std::vector<std::pair<std::string, T>> (a map in file
// order), a nested Options struct, std::optional of each, Node (taken as it is).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/base/time.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

// `64KiB`, `4MiB`, `512B`, `1GiB`; a bare number is bytes.
struct ByteSize {
  std::int64_t bytes = 0;
};

// What the manual, the JSON Schema and `runnel describe` need to know of one option.
struct OptionDoc {
  std::string name;
  std::string type;         // `duration`, `integer`, `one of block, drop_newest`, …
  std::string description;  // one sentence
  std::string default_text; // as written in YAML; empty: required
  std::string range;        // `1 to 1000000`, `at least 1ms`; empty: any
  bool required = false;
  std::vector<OptionDoc> nested;
};

}  // namespace runnel
