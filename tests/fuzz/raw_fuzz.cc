// Any bytes as a payload of the codec `raw`: records or reasons, the same by a fresh decoder
// that has only the cursor.
#include <cstdint>
#include <string_view>

#include "tests/pipelines/codecs/multi.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto format = runnel::codec_test::MakeFormat("raw");
  static const runnel::FieldTable table = runnel::codec_test::TableOf({"temp", "ts", "n", "value"});
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  runnel::codec_test::TakeAnyBytes(*format, table, bytes);
  return 0;
}
