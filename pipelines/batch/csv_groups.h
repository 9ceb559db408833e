// CsvGroups: the rows of a CSV chunk that are as usual, straight into a GroupFeed.
//
// For windows behind no other step whose key, time and values are columns: no record is
// made. A row with a quote or other than ASCII, without one of its values, with a key that may
// be a number, or with anything else out of the ordinary is left to the general way, which gives
// the same groups; so this decides nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/scan.h"
#include "pipelines/batch/batch_plan.h"
#include "pipelines/batch/group_feed.h"
#include "pipelines/codecs/json_reader.h"

namespace runnel {

class CsvGroups final {
 public:
  // Whether the plan is of that kind.
  static bool Fits(const BatchPlan& plan);
  explicit CsvGroups(const BatchPlan& plan);

  // Begins on a chunk; false where its header is not as usual. See RowReader.
  bool Start(std::string_view header, std::string_view chunk);
  // Takes rows from `at` on, at most `count`, into `feed` as far as it has room. Gives how many
  // and moves `at` behind them; less than `count` where the row at `at` is not as usual, or the
  // chunk ends.
  std::size_t Take(std::size_t& at, std::size_t count, GroupFeed& feed);

 private:
  // A column that is used.
  enum class Use : std::uint8_t { kKey, kTime, kValue };
  struct Column {
    Use use = Use::kKey;
    bool last = false;         // of the row
    std::uint16_t value = 0;   // index of the argument
    std::uint32_t unused = 0;  // columns between the one before and this one
  };

  // Where the bits of one comparison are, in registers while rows are taken.
  struct Specials {
    const char* block;
    std::uint64_t found;
  };
  std::uint64_t FindSpecials(const char* block) const;
  const char* Next(Specials& specials) const;
  bool Pass(Specials& specials, std::size_t columns, const char*& at) const;
  bool TakeRow(Specials& specials, const char*& at, GroupFeed& feed);
  bool TakeField(const Column& column, const char* begin, const char* stop, GroupFeed& feed);
  bool TakeTime(const char* begin, const char* stop);
  bool TakeValue(const char* begin, const char* stop, Value* place);
  bool TakeOtherTime(const char* begin, const char* stop);
  bool TakeOtherValue(const char* begin, const char* stop, Value* place);
  bool ReadColumns(std::string_view header);
  std::int64_t PaneOf(std::int64_t time);

  const BatchPlan* plan_;
  char delimiter_;
  char quote_;
  std::int64_t factor_ = 1;  // of a time to microseconds
  std::string header_;
  std::vector<Column> columns_;  // in their order
  std::uint32_t behind_ = 0;     // columns that are not used behind the last one that is
  bool usual_ = false;           // the columns of header_ are
  // Times with as many digits, up to 16, that begin like the last one with more than 8: all
  // digits but eight, where they stand in a word, and what they make, in microseconds.
  std::size_t digits_ = SIZE_MAX;
  std::uint64_t head_ = 0;
  std::int64_t head_time_ = 0;
  JsonReader numbers_;
  Arena arena_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  bool doubles_ = true;    // all values of the row are
  std::int64_t time_ = 0;  // of the row
  std::string_view key_;   // of the row, in the chunk
  std::int64_t pane_start_ = 0;
};

}  // namespace runnel
