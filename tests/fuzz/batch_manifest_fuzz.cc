// Any bytes as the manifest of a run that was cut short.
#include <cstdint>
#include <string_view>

#include "daemon/batch/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto content = runnel::ReadManifest(bytes);
  if (content.has_value()) static_cast<void>(runnel::WhyNotTheSame(content->head, content->head));
  return 0;
}
