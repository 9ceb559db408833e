#include "pipelines/base/state.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace runnel {
namespace {

constexpr std::uint64_t kMagic = 0x31657461'74736e72;  // "rnstate1"
constexpr int kSmallClasses = 32;                      // 16 to 512 bytes in steps of 16
constexpr int kClasses = kSmallClasses + 4 * 24;       // then four per doubling, to 8 GiB
constexpr std::size_t kSmallMax = 512;
constexpr std::size_t kPopulateStep = 64 * 1024;

// What Allocate(bytes) takes, and the free list that it goes back to.
struct SizeClass {
  std::size_t bytes;
  int index;
};

SizeClass ClassOf(std::size_t bytes) {
  if (bytes <= kSmallMax) {
    const std::size_t units = std::max<std::size_t>(1, (bytes + 15) / 16);
    return {units * 16, static_cast<int>(units) - 1};
  }
  const int power =
      static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^power < bytes <= 2^(power+1)
  const std::size_t step = std::size_t{1} << (power - 2);
  const std::size_t quarters = (bytes - (std::size_t{1} << power) + step - 1) / step;
  return {(std::size_t{1} << power) + quarters * step,
          kSmallClasses + 4 * (power - 9) + static_cast<int>(quarters) - 1};
}

}  // namespace

struct StateRegion::Header {
  std::uint64_t magic;
  std::uint64_t used;  // bytes, from the base
  Ref roots[kRoots];
  Ref free[kClasses];  // first free block of each class; its first word is the next
};

StateRegion StateRegion::InMemory(std::size_t capacity) {
  StateRegion region;
  // Not zeroed by hand: pages that nobody touches stay with the kernel.
  region.owned_.reset(std::calloc(1, capacity + UndoLog::kLine));
  CHECK(region.owned_ != nullptr);
  auto* const begin = static_cast<std::byte*>(region.owned_.get());
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  region.base_ = begin + (UndoLog::kLine - address % UndoLog::kLine) % UndoLog::kLine;
  region.capacity_ = capacity / UndoLog::kLine * UndoLog::kLine;
  CHECK(region.capacity_ >= sizeof(Header));
  region.populated_ = region.capacity_;
  region.Clear();
  return region;
}

Result<StateRegion> StateRegion::Attach(Options options) {
  StateRegion region;
  region.base_ = options.base;
  region.capacity_ = options.capacity;
  region.undo_ = options.undo;
  region.populate_ = std::move(options.populate);
  if (!region.EnsurePopulated(sizeof(Header))) {
    return Error{ErrorKind::kRetry, "no memory for a task's state"};
  }
  Header* header = region.header();
  if (header->magic == 0) {
    region.Touch(header, sizeof *header);
    std::memset(header, 0, sizeof *header);
    header->magic = kMagic;
    header->used = (sizeof *header + 63) / 64 * 64;
    return region;
  }
  if (header->magic != kMagic || header->used > region.capacity_ || header->used < sizeof *header ||
      header->used % kUnit != 0) {
    return Error{ErrorKind::kGiveUp, "the state region is damaged or of another version"};
  }
  if (!region.EnsurePopulated(header->used)) {
    return Error{ErrorKind::kRetry, "no memory for a task's state"};
  }
  return region;
}

Status StateRegion::RollBack(std::byte* base, std::size_t capacity, UndoLog& undo,
                             std::uint64_t checkpoint) {
  const std::uint64_t leads_to = undo.checkpoint.load(std::memory_order_acquire);
  const std::uint64_t count = undo.count.load(std::memory_order_acquire);
  if (leads_to > checkpoint) {
    return Error{ErrorKind::kGiveUp, "the checkpoint that the undo log leads back to is missing"};
  }
  if (leads_to == checkpoint) {
    if (count > undo.capacity) {
      return Error{ErrorKind::kGiveUp, "the undo log overflowed in the turn that was cut short"};
    }
    for (std::uint64_t i = count; i-- > 0;) {
      const UndoLog::Entry& entry = undo.entries[i];
      if (entry.guard != ~entry.line ||
          (std::uint64_t{entry.line} + 1) * UndoLog::kLine > capacity) {
        return Error{ErrorKind::kGiveUp, "the undo log is damaged"};
      }
      std::memcpy(base + std::size_t{entry.line} * UndoLog::kLine, entry.old, UndoLog::kLine);
    }
  }
  undo.count.store(0, std::memory_order_release);
  undo.checkpoint.store(checkpoint, std::memory_order_release);
  return {};
}

bool StateRegion::EnsurePopulated(std::size_t bytes) {
  if (bytes <= populated_) return true;
  if (bytes > capacity_) return false;
  const std::size_t rounded =
      std::min(capacity_, (bytes + kPopulateStep - 1) / kPopulateStep * kPopulateStep);
  if (populate_ && !populate_(rounded)) return false;
  populated_ = rounded;
  if (undo_ != nullptr) dirty_.resize(rounded / UndoLog::kLine / 64 + 1);
  return true;
}

StateRegion::Ref StateRegion::Allocate(std::size_t bytes) {
  if (bytes > capacity_) return Refuse();
  const SizeClass size = ClassOf(bytes);
  Header* head = header();
  if (const Ref ref = head->free[size.index]; ref != kNone) {
    // Freed since the last checkpoint, perhaps: what it held may be needed again.
    std::byte* block = Get<std::byte>(ref);
    Touch(block, size.bytes);
    Touch(&head->free[size.index], sizeof(Ref));
    std::memcpy(&head->free[size.index], block, sizeof(Ref));
    std::memset(block, 0, size.bytes);
    return ref;
  }
  const std::size_t at = head->used;
  if (size.bytes > capacity_ - at || !EnsurePopulated(at + size.bytes)) return Refuse();
  Touch(&head->used, sizeof head->used);
  head->used = at + size.bytes;
  MarkFresh(at, size.bytes);
  std::memset(base_ + at, 0, size.bytes);
  return static_cast<Ref>(at / kUnit);
}

void StateRegion::Free(Ref ref, std::size_t bytes) {
  const SizeClass size = ClassOf(bytes);
  Header* head = header();
  std::byte* block = Get<std::byte>(ref);
  Touch(block, sizeof(Ref));
  Touch(&head->free[size.index], sizeof(Ref));
  std::memcpy(block, &head->free[size.index], sizeof(Ref));
  head->free[size.index] = ref;
}

std::size_t StateRegion::Rounded(std::size_t bytes) { return ClassOf(bytes).bytes; }

bool StateRegion::Contains(Ref ref, std::size_t bytes) const {
  const std::size_t at = std::size_t{ref} * kUnit;
  const std::size_t used_bytes = header()->used;
  return at >= sizeof(Header) && at <= used_bytes && bytes <= used_bytes - at;
}

StateRegion::Ref StateRegion::root(int index) const { return header()->roots[index]; }

void StateRegion::SetRoot(int index, Ref ref) {
  Header* head = header();
  Touch(&head->roots[index], sizeof(Ref));
  head->roots[index] = ref;
}

std::size_t StateRegion::used() const { return header()->used; }

void StateRegion::Forget(std::uint64_t number) {
  if (undo_ == nullptr) return;
  // Count first: with the old number and no entries the log is harmless.
  undo_->count.store(0, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  undo_->checkpoint.store(number, std::memory_order_release);
  const std::size_t words = std::min(dirty_.size(), used() / UndoLog::kLine / 64 + 1);
  std::memset(dirty_.data(), 0, words * sizeof(std::uint64_t));
}

void StateRegion::Clear() {
  Header* head = header();
  std::memset(head, 0, sizeof *head);
  head->magic = kMagic;
  head->used = (sizeof *head + 63) / 64 * 64;
}

void StateRegion::SaveLines(std::size_t first, std::size_t last) {
  UndoLog& undo = *undo_;
  std::uint64_t count = undo.count.load(std::memory_order_relaxed);
  std::uint64_t* const dirty = dirty_.data();
  UndoLog::Entry* entry = undo.entries + count;
  const std::byte* from = base_ + first * UndoLog::kLine;
  for (std::size_t line = first; line <= last; ++line, from += UndoLog::kLine) {
    std::uint64_t& word = dirty[line / 64];
    const std::uint64_t bit = std::uint64_t{1} << (line % 64);
    if ((word & bit) != 0) continue;
    word |= bit;
    if (count++ >= undo.capacity) [[unlikely]]
      continue;
    std::memcpy(entry->old, from, UndoLog::kLine);
    entry->line = static_cast<std::uint32_t>(line);
    entry->guard = ~entry->line;
    ++entry;
  }
  // The entries before their count, the count before the change that they lead back from.
  // A count above the capacity says that there is no way back from this turn.
  undo.count.store(count, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void StateRegion::MarkFresh(std::size_t offset, std::size_t bytes) {
  if (undo_ == nullptr) return;
  const std::size_t start = (offset + UndoLog::kLine - 1) / UndoLog::kLine;
  const std::size_t end = (offset + bytes) / UndoLog::kLine;
  for (std::size_t line = start; line < end; ++line) {
    dirty_[line / 64] |= std::uint64_t{1} << (line % 64);
  }
}

StateRegion::Header* StateRegion::header() const { return reinterpret_cast<Header*>(base_); }

}  // namespace runnel
