#include "config/lookup_file.h"

#include <filesystem>
#include <map>
#include <utility>

#include "config/file.h"

namespace runnel {
namespace {

// Calls `visit` with every `file:` of an `enrich`.
template <typename Tree, typename Visit>
void ForEachFile(Tree& root, Visit visit) {
  for (auto& member : root.members) {
    if (member.key != "steps") continue;
    for (auto& step : member.value.items) {
      for (auto& op : step.members) {
        if (op.key != "enrich") continue;
        for (auto& option : op.value.members) {
          if (option.key == "file" && option.value.IsScalar()) visit(option.value);
        }
      }
    }
  }
}

}  // namespace

bool ResolveLookupFiles(Node& root, const std::string& folder, Diagnostics& diagnostics) {
  bool ok = true;
  // A file that several steps name is read once: they use the same version of it.
  std::map<std::string, std::string> texts;
  ForEachFile(root, [&](Node& file) {
    const std::size_t end = file.text.find('\n');
    std::string path = file.text.substr(0, end);
    // operator/ leaves an absolute path as it is.
    if (end == std::string::npos) path = (std::filesystem::path(folder) / path).string();
    if (path.empty()) return;
    if (const auto known = texts.find(path); known != texts.end()) {
      file.text = path + '\n' + known->second;
      return;
    }
    std::error_code error;
    const bool special = std::filesystem::is_other(path, error);  // a device, a pipe
    Result<std::string> text = special ? Result<std::string>(Error{ErrorKind::kFix, "not a file"})
                                       : ReadWholeFile(path, kLookupFileMax);
    if (text.ok()) {
      file.text = path + '\n' + text.value();
      texts.emplace(path, std::move(text).value());
      return;
    }
    diagnostics.Error(file.position, "cannot read `" + path + "`: " + text.error().message);
    ok = false;
  });
  return ok;
}

std::vector<std::string> LookupFiles(const Node& root) {
  std::vector<std::string> paths;
  ForEachFile(root, [&](const Node& file) {
    const std::size_t end = file.text.find('\n');
    if (end != std::string::npos) paths.push_back(file.text.substr(0, end));
  });
  return paths;
}

}  // namespace runnel
