// Macro: a call whose arguments are names and bodies that run once per item.
#pragma once

#include <cstddef>
#include <string_view>

#include "pipelines/expr/ast.h"

namespace runnel::expr {

struct Macro {
  std::string_view name;
  Op op;
  std::size_t variables_min;
  std::size_t variables_max;
  std::size_t bodies_max;  // 2: a filter may stand before the body
  std::string_view signature;
  std::string_view description;
};

// One variable is the item of a list or the key of a map; two are index and item, or
// key and value.
inline constexpr Macro kMacros[] = {
    {"all", Op::kAll, 1, 2, 1, "list.all(x, condition)", "Whether the condition holds for all."},
    {"exists", Op::kExists, 1, 2, 1, "list.exists(x, condition)",
     "Whether the condition holds for any."},
    {"existsOne", Op::kExistsOne, 1, 2, 1, "list.existsOne(x, condition)",
     "Whether the condition holds for exactly one."},
    {"exists_one", Op::kExistsOne, 1, 2, 1, "list.exists_one(x, condition)",
     "Whether the condition holds for exactly one."},
    {"filter", Op::kFilter, 1, 1, 1, "list.filter(x, condition)",
     "The items for which the condition holds."},
    {"map", Op::kTransformList, 1, 1, 2, "list.map(x, value)",
     "The values of all items; with a condition before the value, of those that meet it."},
    {"transformList", Op::kTransformList, 2, 2, 2, "list.transformList(i, x, value)",
     "The values of all items; with a condition before the value, of those that meet it."},
    {"transformMap", Op::kTransformMap, 2, 2, 2, "map.transformMap(k, v, value)",
     "The map with its keys and new values."},
    {"transformMapEntry", Op::kTransformMapEntry, 2, 2, 2,
     "map.transformMapEntry(k, v, {key: value})", "The map of all entries that the body gives."},
};

inline const Macro* FindMacro(std::string_view name) {
  for (const Macro& macro : kMacros) {
    if (macro.name == name) return &macro;
  }
  return nullptr;
}

}  // namespace runnel::expr
