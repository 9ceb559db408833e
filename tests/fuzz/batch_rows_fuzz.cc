// Any bytes as a CSV file in a chunk: records or reasons, and no row twice.
#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/base/check.h"
#include "pipelines/batch/chunk_mapper.h"
#include "pipelines/batch/splitter.h"
#include "tests/fuzz/batch_plan_of.h"

namespace {

class Nothing final : public runnel::BatchSink {
  void TakeOutput(std::string_view) override {}
  void TakeRunBlock(std::string_view) override {}
  void EndRun() override {}
  void TakeSegment(std::uint32_t, std::string_view) override {}
  void TakeReject(const runnel::BatchReject& reject) override {
    CHECK(reject.offset >= last_ && !reject.reason.empty());
    last_ = reject.offset;
  }

 public:
  std::uint64_t last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<const runnel::BatchPlan> plan =
      BatchPlanOf("n: count(), low: min(temp)");
  std::string text(reinterpret_cast<const char*>(data), size);
  text.append(64, '\0');
  const std::string_view bytes = std::string_view(text).substr(0, size);
  const std::size_t begin = runnel::FirstRecordEnd(bytes, '"');
  const std::string_view rows = bytes.substr(begin);
  CHECK(runnel::LastRecordEnd(rows, runnel::CountText(rows, '"'), '"') <= rows.size());
  for (const bool careful : {false, true}) {
    Nothing nothing;
    static runnel::StateRegion region = runnel::StateRegion::InMemory(32 << 20);
    auto mapper = runnel::ChunkMapper::Create(*plan, region, nothing, [](std::uint64_t) {});
    runnel::MapMode mode;
    mode.careful = careful;
    if (mapper.value()->Map({0, bytes.substr(0, begin), rows}, mode) != nullptr) continue;
    CHECK(mapper.value()->counts().IsSettled());
  }
  return 0;
}
