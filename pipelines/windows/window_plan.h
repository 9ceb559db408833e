// WindowPlan: a window step as it is compiled.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/expr/expression.h"
#include "pipelines/operators/key.h"
#include "pipelines/windows/grid.h"

namespace runnel {

enum class WindowKind : std::uint8_t { kGrid, kSession, kSliding, kCount, kGlobal };
enum class Ahead { kReject, kClamp };
enum class KeysFull { kReject, kEvictOldest };

struct AggregateColumn {
  std::string name;
  std::string text;
  std::uint16_t result_field = 0;
  Type result = Type::kMissing;  // kMissing: depends on the values
  Algebra algebra = Algebra::kOrdered;
  std::unique_ptr<const Aggregate> aggregate;
  int argument = -1;       // of the first one; index into WindowPlan::arguments; -1: none
  int arguments = 0;       // how many, one behind the other
  int filter = -1;         // index into WindowPlan::arguments; -1: none
  std::size_t offset = 0;  // of its state in the window's block
};

// What each record needs of a column, in a row.
struct ColumnFeed {
  const Aggregate* aggregate;
  std::uint32_t offset;
  std::uint16_t values;     // where its values begin among those of the arguments
  std::uint16_t arguments;  // how many they are; 0: one value that is always there
  std::int16_t filter;
};

struct WindowPlan {
  WindowKind kind = WindowKind::kGrid;
  Grid grid;                         // kGrid: of the panes
  std::int64_t panes = 1;            // kGrid, kCount: that make a window
  std::int64_t length = 0;           // kSession: the gap, kSliding: the length; microseconds
  std::int64_t count = 0;            // kCount: records of a pane
  std::int64_t fill = 0;             // kGrid: most empty windows in a row; 0: none
  std::int64_t every = 0;            // time between early results, or of a global window; 0: none
  bool on_change = false;            // kGlobal
  bool reset = false;                // kGlobal
  std::unique_ptr<Expression> when;  // kGlobal: of the result

  bool stays_open = false;  // kGrid, kSession over files: a window closes at the end, and is whole

  bool event_time = false;
  std::int64_t lateness = 0;           // microseconds, as all below
  std::int64_t silence = 0;            // after which a key is closed or forgotten; 0: never
  std::int64_t idle_grid = 1;          // its deadlines are multiples of this
  bool silence_counts_always = false;  // also while the source brings nothing
  std::int64_t order_within = 0;       // keys stand in order of arrival to within this
  std::int64_t max_ahead = 0;
  Ahead ahead = Ahead::kReject;
  std::uint32_t keys_max = 0;
  KeysFull keys_full = KeysFull::kReject;
  std::uint32_t windows_max = 0;  // blocks of a key
  KeyPlan key;
  std::vector<std::unique_ptr<Expression>> arguments;  // of aggregates, and their filters
  std::vector<AggregateColumn> columns;
  std::vector<int> fields;        // of the arguments that are just a field; of others -1
  std::vector<ColumnFeed> feeds;  // of the columns
  bool takes_numbers = true;      // all aggregates take every finite double
  std::size_t head_size = 0;      // of a block, before the states
  std::size_t block_size = 0;     // of a window or a pane: head and all states
  std::uint16_t start_field = 0;
  std::uint16_t end_field = 0;
  std::uint16_t partial_field = 0;
  std::string text;  // for explain
  std::string mark;
};

}  // namespace runnel
