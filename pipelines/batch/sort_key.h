// Sort keys: groups as bytes whose order is that of the results: start, then key.
//
// Eight bytes of the start (big-endian, the sign turned), then each part of the key: bools,
// then whole numbers, then others, then text, each in its own order. Bytes that a worker
// made, so readers check them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/value/value.h"

namespace runnel {

void AppendSortNumber(std::int64_t number, std::string& out);
// A part of a key; values that are no scalar become text.
void AppendSortPart(const Value& value, std::string& out);

// Takes them off again; nullopt where `bytes` are none. Text is in `arena`.
std::optional<std::int64_t> TakeSortNumber(std::string_view& bytes);
std::optional<Value> TakeSortPart(std::string_view& bytes, Arena& arena);

}  // namespace runnel
