// Any bytes as runnel.yaml and as a pipeline: an answer or an error, and the tree
// comes back from its bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/config.h"

namespace {

runnel::Environment FuzzEnvironment() {
  runnel::Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "X") return "1";
    if (name == "LONG") return std::string(10'000, 'x');
    return std::nullopt;
  };
  environment.credential = [](const std::string& name) -> runnel::Result<std::string> {
    if (name == "x") return std::string("secret-of-the-credential");
    return runnel::Error{runnel::ErrorKind::kFix, "no such file or directory"};
  };
  return environment;
}

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const runnel::Environment environment = FuzzEnvironment();
  runnel::Diagnostics diagnostics;
  std::optional<runnel::Node> root = runnel::ParseYaml(text, "f.yaml", {}, diagnostics);
  Require(root.has_value() != diagnostics.has_errors());
  if (root) {
    const std::string bytes = root->Encode();
    const runnel::Result<runnel::Node> back = runnel::Node::Decode(bytes);
    Require(back.ok() && back.value().Encode() == bytes);
    if (Substitute(*root, environment, runnel::Credentials::kAllowed, diagnostics)) {
      const bool read = runnel::ReadDeviceConfig(*root, diagnostics).has_value();
      Require(read != diagnostics.has_errors());
    }
  }
  Require(diagnostics.Format().find("secret-of") == std::string::npos ||
          text.find("secret-of") != std::string_view::npos);
  runnel::Diagnostics of_pipeline;
  runnel::ReadPipeline(text, "f.yaml", environment, {}, of_pipeline);
  of_pipeline.Format();
  return 0;
}
