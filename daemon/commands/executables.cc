#include "daemon/commands/executables.h"

#include <filesystem>

namespace runnel {

namespace fs = std::filesystem;

std::string FindExecutable(const std::string& name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = self.parent_path() / name;
  if (fs::exists(beside, error)) return beside;
  return self.parent_path().parent_path() / "libexec" / "runnel" / name;
}

}  // namespace runnel
