// Arbitrary bytes as a ring: whatever another process has written there, the reader
// gives records that lie in the ring or says that it is damaged.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "daemon/journal/dead_letter.h"
#include "daemon/journal/ring.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runnel;
  constexpr std::size_t kRing = 4096;
  if (size < 16) return 0;
  std::uint64_t head_position = 0;
  std::uint64_t position = 0;
  std::memcpy(&head_position, data, 8);
  std::memcpy(&position, data + 8, 8);
  std::vector<std::byte> ring(2 * kRing + 64);  // two images and the padding
  const std::size_t filled = size - 16 < kRing ? size - 16 : kRing;
  std::memcpy(ring.data(), data + 16, filled);
  std::memcpy(ring.data() + kRing, ring.data(), kRing);

  std::atomic<std::uint64_t> head{head_position};
  RingReader reader(ring.data(), kRing, head, position & ~std::uint64_t{7}, kRing / 2);
  const char* begin = reinterpret_cast<const char*>(ring.data());
  RecordView record;
  for (int i = 0; i < 1000; ++i) {
    const RingReader::Found found = reader.Peek(record);
    if (found == RingReader::Found::kDamaged && reader.Damage().message.empty()) std::abort();
    if (found != RingReader::Found::kRecord) return 0;
    if (record.topic.data() < begin ||
        record.payload.data() + record.payload.size() > begin + 2 * kRing ||
        record.next <= record.position) {
      std::abort();
    }
    const Result<DeadLetter> letter = ParseDeadLetter(record.payload);
    if (letter.ok() && letter.value().payload.size() > record.payload.size()) std::abort();
    reader.Pass(record);
  }
  return 0;
}
