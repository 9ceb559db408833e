#include "daemon/batch/rejects.h"

#include <unistd.h>

namespace runnel {
namespace {

void AppendField(std::string_view text, std::string& out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  out += '"';
}

}  // namespace

Status Rejects::Add(std::string_view input, std::uint64_t line, std::string_view step,
                    std::string_view reason, std::string_view row) {
  while (row.ends_with('\n') || row.ends_with('\r')) row.remove_suffix(1);
  if (first_.empty()) {
    first_ = (input.empty() ? "a result" : std::string(input)) +
             (line > 0 ? ":" + std::to_string(line) : "") + ": " + std::string(reason) + " (" +
             std::string(step) + ")";
  }
  if (path_.empty()) return {};
  std::string text;
  if (!file_.is_open()) {
    if (Status opened = file_.Open(); !opened.ok()) return opened;
    text = "input,line,step,reason,row\n";
  }
  AppendField(input, text);
  text += ',';
  if (line > 0) text += std::to_string(line);
  for (const std::string_view field : {step, reason, row}) {
    text += ',';
    AppendField(field, text);
  }
  text += '\n';
  return file_.Write(text);
}

Status Rejects::Resume(std::uint64_t size) {
  return size == 0 || path_.empty() ? Status() : file_.Resume(size);
}

Status Rejects::Commit() {
  if (file_.is_open()) return file_.Commit();
  if (path_.empty() || file_.IsStdout()) return {};
  unlink(path_.c_str());
  file_.RemovePart();
  return {};
}

void Rejects::Discard() {
  file_.Discard();
  if (!path_.empty()) file_.RemovePart();
}

}  // namespace runnel
