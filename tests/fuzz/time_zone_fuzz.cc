// Any bytes as a file of the zone database: rules that a plan takes, or none.
#include <cstdint>
#include <string>
#include <string_view>

#include "config/time_zone.h"
#include "pipelines/base/zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::optional<std::string> rules = runnel::ParseTzif(bytes);
  if (rules.has_value()) runnel::Zone::Parse("X " + *rules);
  runnel::Zone::Parse(bytes);
  return 0;
}
