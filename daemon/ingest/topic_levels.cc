#include "daemon/ingest/topic_levels.h"

#include <bit>

#include "pipelines/base/scan.h"

namespace runnel {
namespace {

constexpr std::size_t kBlock = 16;

// The slashes of a topic shorter than a block.
std::uint32_t SlashesOfShort(std::string_view topic) {
  char block[kBlock] = {};
  topic.copy(block, kBlock);
  return scan::Find16(block, '/');
}

}  // namespace

// Slashes of the block at `at`, behind the first `size` levels.
inline std::size_t TopicLevels::Note(std::size_t at, std::uint32_t slashes,
                                     std::size_t size) const {
  for (; slashes != 0 && size < kTopicLevelsMax; slashes &= slashes - 1) {
    ends_[size++] =
        static_cast<std::uint16_t>(at + static_cast<std::size_t>(std::countr_zero(slashes)));
  }
  return size;
}

void TopicLevels::Split() const {
  const std::string_view topic = topic_;
  if (topic.empty()) return;
  std::size_t size = 0;
  if (topic.size() < kBlock) {
    size = Note(0, SlashesOfShort(topic), size);
  } else {
    const std::size_t last = topic.size() - kBlock;
    std::size_t at = 0;
    for (; at < last; at += kBlock) size = Note(at, scan::Find16(topic.data() + at, '/'), size);
    // The last block ends with the topic: without what the one before has had of it.
    const std::uint32_t seen = (1U << (at - last)) - 1;
    size = Note(last, scan::Find16(topic.data() + last, '/') & ~seen, size);
  }
  ends_[size++] = static_cast<std::uint16_t>(topic.size());
  size_ = size;
}

}  // namespace runnel
