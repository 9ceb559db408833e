// Spread rows: what a window needs of a row, for the partition that its group is in.
//
// A key, the time and the values of the aggregates, in few bytes: the rows of a run that has
// not enough memory all go to a file and back. Written by one worker and read by another,
// which checks every length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/value/value.h"

namespace runnel {

struct SpreadRow {
  std::string_view key;  // encoded, or
  bool is_text = false;  // the one text that it is of
  std::int64_t time = 0;
};
void AppendSpreadRow(const SpreadRow& row, const Value* values, std::size_t count,
                     std::string& out);

// Takes a row off the front; false where there is none that is right. Text is borrowed.
bool TakeSpreadRow(std::string_view& bytes, std::size_t count, SpreadRow& row, Value* values);

}  // namespace runnel
