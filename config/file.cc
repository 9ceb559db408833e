#include "config/file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace runnel {
namespace {

// The text of errno as one of our messages: `no such file or directory`.
Error FromErrno(int code) {
  std::string text = std::generic_category().message(code);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return {ErrorKind::kFix, std::move(text)};
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::string> ReadWholeFile(const std::string& path, std::size_t bytes_max) {
  errno = 0;
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return FromErrno(errno);
  std::string content;
  char block[16 * 1024];
  while (content.size() <= bytes_max) {
    const std::size_t size = std::fread(block, 1, sizeof block, file.get());
    content.append(block, size);
    if (size == sizeof block) continue;
    if (std::ferror(file.get()) != 0) return FromErrno(errno);
    break;
  }
  if (content.size() > bytes_max) {
    return Error{ErrorKind::kFix, "larger than " + std::to_string(bytes_max) + " bytes"};
  }
  return content;
}

}  // namespace runnel
