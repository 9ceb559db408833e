// Spread rows: what a window needs of a row, for the partition that its group is in.
//
// A key, the window or the time, and the values of the aggregates, in few bytes: the rows of
// a run that has not enough memory all go to a file and back. A double with few decimals is
// a whole number and their count, and comes back bit for bit. Written by one worker and read
// by another, which checks every length. Layout: docs/formats/batch.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "pipelines/value/value.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

// The same for writer and reader, since it follows from the plan.
class SpreadLayout final {
 public:
  explicit SpreadLayout(const WindowPlan& plan);

  std::size_t arguments() const { return arguments_; }
  // 0: rows have their time. Else only the number of the window, since no aggregate asks for
  // more; windows are so many microseconds long.
  std::int64_t every() const { return every_; }
  // Where the window of number 0 begins.
  std::int64_t offset() const { return offset_; }

 private:
  std::size_t arguments_;
  std::int64_t every_ = 0;
  std::int64_t offset_ = 0;
};

struct SpreadRow {
  std::string_view key;    // encoded, or
  bool is_text = false;    // the one text that it is of: then 16 bytes are readable at its begin
  std::int64_t start = 0;  // of its window; by the reader only where the layout has every()
  std::int64_t time = 0;
};

// Rows of one segment, one behind the other. The bytes depend on these rows alone.
class SpreadWriter final {
 public:
  void Append(const SpreadLayout& layout, const SpreadRow& row, const Value* values);
  std::string_view bytes() const { return {memory_.get(), size_}; }
  void Clear() {
    size_ = 0;
    last_ = 0;
    decimals_ = kDecimals;
    unfruitful_ = 0;
  }

 private:
  static constexpr std::size_t kDecimals = 2;  // as good a beginning as any

  void Grow(std::size_t room);
  char* PutDouble(double value, char* at);
  bool FindDecimals(double value, std::int64_t& whole);
  char* PutValue(const Value& value, char* at);

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::int64_t last_ = 0;             // start or time of the row before
  std::size_t decimals_ = kDecimals;  // that the last double had
  std::uint32_t unfruitful_ = 0;      // doubles for which no other count is tried
};

// Takes rows off the front of a segment, with at least 16 readable bytes behind it. Text is
// borrowed.
class SpreadReader final {
 public:
  SpreadReader(const SpreadLayout& layout, std::string_view segment)
      : layout_(&layout), at_(segment.data()), end_(segment.data() + segment.size()) {}

  bool AtEnd() const { return at_ == end_; }
  // False where there is none that is right. `usual`: all values are finite doubles.
  bool Take(SpreadRow& row, Value* values, bool& usual);

 private:
  bool TakeKey(std::size_t size, SpreadRow& row);
  bool TakeValue(Value& value, bool& usual);
  bool TakeOther(std::uint8_t tag, Value& value);

  const SpreadLayout* layout_;
  const char* at_;
  const char* end_;
  std::int64_t last_ = 0;
};

}  // namespace runnel
