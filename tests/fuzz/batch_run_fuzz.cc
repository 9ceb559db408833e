// Any bytes as what another worker has written: runs, rows for partitions, frames, messages.
#include <cstdint>
#include <string_view>

#include "daemon/workers/batch_protocol.h"
#include "pipelines/batch/run.h"
#include "pipelines/batch/sort_key.h"
#include "pipelines/batch/spread.h"

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
  std::string_view rest = bytes;
  runnel::SpreadRow row;
  runnel::Value values[2];
  while (runnel::TakeSpreadRow(rest, 2, row, values)) {
  }
  rest = bytes;
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
