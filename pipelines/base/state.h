// StateRegion: the memory in which a task keeps everything it must not forget.
//
// One contiguous, relocatable region: references are offsets, never pointers, so
// the region may be a shared mapping that outlives the process. A turn (the work
// on one record, or one step of it) announces each change with Touch() before it
// stores; the old contents of the 64-byte lines it touches go to an undo log
// first. A checkpoint then costs nothing but forgetting the log, and a successor
// of a killed process rolls the region back to the last checkpoint by copying the
// logged lines home (undo logging, as in ARIES, Mohan et al. 1992; no fences are
// needed because a killed process loses no stores that it has retired).
//
// A turn that touches more lines than the log holds has no way back: a kill in it
// loses the state (RollBack says so), so the host checkpoints well before.
//
// Without an undo log (tests, batch) Touch() does nothing. One thread at a time.
// Deterministic: the same calls give the same references and the same bytes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "pipelines/base/check.h"
#include "pipelines/base/result.h"

namespace runnel {

// The lines of a region as they were at the last checkpoint. Plain data inside a
// mapping; written by the process that hosts the task, read by its successor.
struct UndoLog {
  static constexpr std::size_t kLine = 64;
  struct Entry {
    std::uint32_t line;
    std::uint32_t guard;  // ~line: tells an entry from noise
    std::byte old[kLine];
  };

  std::atomic<std::uint64_t> checkpoint;  // the checkpoint that the entries lead back to
  std::atomic<std::uint64_t> count;       // entries that are complete
  std::uint64_t capacity;                 // entries that there is room for
  std::uint64_t reserved;
  Entry entries[1];  // `capacity` of them

  static constexpr std::size_t BytesFor(std::size_t capacity) {
    return offsetof(UndoLog, entries) + capacity * sizeof(Entry);
  }
};

class StateRegion final {
 public:
  // A place in the region: the offset in 16-byte units. kNone is no place.
  using Ref = std::uint32_t;
  static constexpr Ref kNone = 0;
  static constexpr std::size_t kUnit = 16;
  static constexpr int kRoots = 32;

  struct Options {
    std::byte* base = nullptr;  // aligned to 64; zeroed, or a region made before
    std::size_t capacity = 0;   // bytes, a multiple of 64, at most 32 GiB
    UndoLog* undo = nullptr;    // nullptr: no way back
    // Makes the first `bytes` of the region usable (a file's room, memory); false
    // when there is no more. Called before use, in growing steps; may be empty.
    std::function<bool(std::size_t bytes)> populate;
  };

  // A region over memory of its own, which becomes real where it is used: for batch, a
  // changed plan, tests. Ends the program where there are not even addresses.
  static StateRegion InMemory(std::size_t capacity);

  // Takes over `options.base`: starts an empty region where it is all zeros,
  // otherwise checks what is there. Fails when the header is damaged or of another
  // layout. Does not roll back: RollBack() first.
  static Result<StateRegion> Attach(Options options);
  // Puts the logged lines back if the log belongs to `checkpoint`; checks every
  // entry. For a successor, before Attach.
  static Status RollBack(std::byte* base, std::size_t capacity, UndoLog& undo,
                         std::uint64_t checkpoint);

  StateRegion(StateRegion&&) = default;
  StateRegion& operator=(StateRegion&&) = default;

  // Zeroed memory of at least `bytes`; kNone when the region is full. The memory
  // is fresh: it may be written without Touch() until the end of the turn.
  Ref Allocate(std::size_t bytes);
  // How often Allocate has said no: who has to know whether all that a call wanted to keep is kept
  // compares.
  std::uint64_t refusals() const { return refusals_; }
  // Gives memory back. REQUIRES: `bytes` is what was asked for.
  void Free(Ref ref, std::size_t bytes);
  // The bytes that Allocate(bytes) really takes: growing within them is free.
  static std::size_t Rounded(std::size_t bytes);

  template <typename T>
  T* Get(Ref ref) {
    return reinterpret_cast<T*>(base_ + std::size_t{ref} * kUnit);
  }
  template <typename T>
  const T* Get(Ref ref) const {
    return reinterpret_cast<const T*>(base_ + std::size_t{ref} * kUnit);
  }
  // Whether [ref, ref + bytes) lies in the used part: for checks after a crash.
  bool Contains(Ref ref, std::size_t bytes) const;

  // Announces a change of [at, at + bytes), before the first store. Cheap for
  // lines that this checkpoint has seen already.
  void Touch(const void* at, std::size_t bytes) {
    if (undo_ == nullptr) return;
    const std::size_t first = Offset(at) / UndoLog::kLine;
    const std::size_t last = (Offset(at) + bytes - 1) / UndoLog::kLine;
    if (first == last && IsDirty(first)) return;
    SaveLines(first, last);
  }
  // Get and Touch in one: memory that is about to be changed.
  template <typename T>
  T* Change(Ref ref) {
    T* object = Get<T>(ref);
    Touch(object, sizeof(T));
    return object;
  }

  // Named starting points, one per operator; kNone at first.
  Ref root(int index) const;
  void SetRoot(int index, Ref ref);

  const std::byte* data() const { return base_; }
  std::size_t used() const;  // bytes, allocated or free, below the high-water mark
  std::size_t capacity() const { return capacity_; }
  // Lines logged since the last checkpoint; 0 without an undo log.
  std::size_t dirty_lines() const {
    return undo_ == nullptr ? 0 : undo_->count.load(std::memory_order_relaxed);
  }
  // Room left in the undo log, in lines.
  std::size_t undo_room() const {
    if (undo_ == nullptr) return SIZE_MAX;
    return undo_->capacity - std::min<std::size_t>(undo_->capacity, dirty_lines());
  }
  // What is in the region now is checkpoint `number`: forgets the log. The caller
  // has stored the checkpoint's header first.
  void Forget(std::uint64_t number);
  // Empties the region (a plan that starts anew). Not undoable: checkpoint at once.
  void Clear();

 private:
  struct Header;
  struct Freed {
    void operator()(void* memory) const { std::free(memory); }
  };

  StateRegion() = default;
  std::size_t Offset(const void* at) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(at) - base_);
  }
  bool EnsurePopulated(std::size_t bytes);
  Ref Refuse() {
    ++refusals_;
    return kNone;
  }
  bool IsDirty(std::size_t line) const { return (dirty_[line / 64] >> (line % 64) & 1) != 0; }
  void SaveLines(std::size_t first, std::size_t last);
  void MarkFresh(std::size_t offset, std::size_t bytes);
  Header* header() const;

  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t populated_ = 0;  // bytes that may be touched
  std::uint64_t refusals_ = 0;
  UndoLog* undo_ = nullptr;
  std::function<bool(std::size_t)> populate_;
  std::vector<std::uint64_t> dirty_;    // one bit a line
  std::unique_ptr<void, Freed> owned_;  // InMemory only
};

}  // namespace runnel
