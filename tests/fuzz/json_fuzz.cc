// Any bytes as a JSON payload: a record or a reason; the same with and without
// prediction; and what is encoded again reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pipelines/base/check.h"
#include "tests/pipelines/codecs/support.h"

namespace {

using runnel::codec_test::DecodeWith;

// The first half of the input teaches the decoder, which then reads the second.
void CheckPrediction(std::string_view first, std::string_view second,
                     const runnel::FieldTable& table, runnel::Unmentioned unmentioned) {
  const auto warm = runnel::MakeJsonDecoder(table, unmentioned);
  DecodeWith(*warm, table, first);
  const std::string predicted = DecodeWith(*warm, table, second, '"');
  const auto plain = runnel::internal::MakePlainJsonDecoder(table, unmentioned);
  CHECK(predicted == DecodeWith(*plain, table, second, '0'));
  CHECK(predicted == DecodeWith(*warm, table, second, '}'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t split = bytes.find('\n');
  const std::string_view first = bytes.substr(0, split);
  const std::string_view second = split == std::string_view::npos ? first : bytes.substr(split + 1);
  const runnel::FieldTable table = runnel::codec_test::TableOf({"ts", "temp", "device", "a"});
  CheckPrediction(first, second, table, runnel::Unmentioned::kSkip);
  CheckPrediction(first, second, table, runnel::Unmentioned::kKeep);

  const auto decoder = runnel::MakeJsonDecoder(table, runnel::Unmentioned::kKeep);
  const runnel::codec_test::Payload payload(second);
  runnel::Arena arena(1 << 16);
  runnel::Record record(table);
  if (!decoder->Decode(payload.view(), arena, record).ok()) return 0;
  std::string text;
  CHECK(runnel::MakeJsonEncoder()->Encode(record, text).ok());
  CHECK(DecodeWith(*decoder, table, text, '7', 1 << 18) == runnel::codec_test::Describe(record));
  return 0;
}
