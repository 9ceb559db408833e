// A tree of configuration as JSON, and comparing it with a payload: for test cases.
#pragma once

#include <string>
#include <string_view>

#include "pipelines/spec/node.h"

namespace runnel {

// Plain `null`, `true`, `false` and numbers as JSON writes them are what they look like;
// everything else is text.
std::string JsonText(const Node& node);

// Compares the fields of `expected`, a map, with the JSON object `payload`, which may have
// more. Numbers may differ by 1e-9 of their size. What differs, a line each; empty: nothing.
std::string CompareJson(const Node& expected, std::string_view payload);

}  // namespace runnel
