// Spread rows: what a window needs of a row, for the partition that its group is in.
//
// A key, the start of the pane, the time in it and the values of the aggregates. Written by
// one worker and read by another, which checks every length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/value/value.h"

namespace runnel {

void AppendSpreadRow(std::string_view key, std::int64_t start, std::int64_t time,
                     const Value* values, std::size_t count, std::string& out);

// Takes a row off the front; false where there is none that is right. Text is borrowed.
bool TakeSpreadRow(std::string_view& bytes, std::size_t count, std::string_view& key,
                   std::int64_t& start, std::int64_t& time, Value* values);

// An encoded key that KeyPlan::TakePart can read to its end.
bool IsEncodedKey(std::string_view key);

}  // namespace runnel
