// The manual, for `runnel reference`, `list` and `describe`: all of it from the
// declarations of operators, aggregates, codecs, functions and options.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/plan/registry.h"

namespace runnel {

// Markdown, one document.
std::string ReferenceText(const Registry& registry);

// An example of a function: an expression and its value as JSON.
struct FunctionExample {
  std::string_view function;
  std::string_view expression;
  std::string_view result;
};
std::span<const FunctionExample> FunctionExamples();

// Names with a line each; `kind` is operators, aggregates, codecs or functions, or empty
// for all. Empty where there is no such kind.
std::string ListText(const Registry& registry, std::string_view kind);
std::string ListJson(const Registry& registry, std::string_view kind);
const std::vector<std::string_view>& ListKinds();

// Everything of that name, for a terminal; empty where there is nothing.
std::string DescribeText(const Registry& registry, std::string_view name);
std::vector<std::string> AllNames(const Registry& registry);

}  // namespace runnel
