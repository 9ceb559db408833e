// Any bytes as what another worker has written: runs, rows for partitions, frames, messages.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/workers/batch_protocol.h"
#include "pipelines/batch/run.h"
#include "pipelines/batch/sort_key.h"
#include "pipelines/batch/spread.h"
#include "tests/fuzz/batch_plan_of.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  runnel::RunReader reader(bytes);
  runnel::Arena arena(64 * 1024);
  for (runnel::RunEntry entry; reader.Next(entry);) {
    std::string_view key = entry.key;
    static_cast<void>(runnel::TakeSortNumber(key));
    while (runnel::TakeSortPart(key, arena).has_value() && !key.empty()) {
    }
    arena.Reset();
  }
  for (const std::size_t part : {bytes.size() / 2, bytes.size()}) {
    static_cast<void>(runnel::ReadRunBlock(bytes.substr(0, part), bytes.size()));
  }
  const std::string padded = std::string(bytes) + std::string(16, '\xff');
  static const std::unique_ptr<const runnel::BatchPlan> plans[] = {
      BatchPlanOf("a: sum(a)"), BatchPlanOf("a: slope(a), b: max(b)")};
  for (const auto& plan : plans) {
    const runnel::SpreadLayout layout(*plan->window);
    runnel::SpreadReader rows(layout, std::string_view(padded).substr(0, size));
    runnel::SpreadRow row;
    runnel::Value values[2];
    for (bool usual = false; !rows.AtEnd() && rows.Take(row, values, usual);) {
    }
  }
  std::string_view rest = bytes;
  for (runnel::batch::Frame frame; runnel::batch::TakeFrame(rest, frame);) {
    runnel::batch::RejectFrame reject;
    static_cast<void>(runnel::batch::DecodeReject(frame.bytes, reject));
  }
  runnel::batch::Reply reply;
  runnel::batch::Job job;
  static_cast<void>(runnel::batch::Reply::Decode(bytes, reply));
  static_cast<void>(runnel::batch::Job::Decode(bytes, job));
  return 0;
}
