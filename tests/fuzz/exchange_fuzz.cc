// Any bytes as a record of the exchange: a record or a reason; what is a record is
// encoded again to a record that is the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/base/check.h"
#include "pipelines/codecs/exchange.h"
#include "tests/pipelines/codecs/support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const runnel::FieldTable table = runnel::codec_test::TableOf({"a", "b", "c"});
  const runnel::FieldTable other = runnel::codec_test::TableOf({"x", "c"});
  // The digest in front is no business of a fuzzer.
  std::string bytes;
  runnel::Record empty(table);
  runnel::ExchangeEncoder encoder(table);
  CHECK(encoder.Encode(empty, bytes).ok());
  bytes.resize(4);
  bytes.append(reinterpret_cast<const char*>(data), size);

  runnel::Arena arena(1 << 16);
  runnel::Record record(other);
  const auto skip = runnel::Unmentioned::kSkip;
  static_cast<void>(runnel::ExchangeDecoder(table, other, skip).Decode(bytes, arena, record).ok());

  arena.Reset();
  runnel::Record first(table);
  const runnel::ExchangeDecoder decoder(table, table, runnel::Unmentioned::kKeep);
  if (!decoder.Decode(bytes, arena, first).ok()) return 0;
  std::string again;
  CHECK(encoder.Encode(first, again).ok());
  runnel::Arena second_arena(1 << 16);
  runnel::Record second(table);
  CHECK(decoder.Decode(again, second_arena, second).ok());
  CHECK(runnel::codec_test::Describe(first) == runnel::codec_test::Describe(second));
  std::string third;
  CHECK(encoder.Encode(second, third).ok());
  CHECK(again == third);
  return 0;
}
