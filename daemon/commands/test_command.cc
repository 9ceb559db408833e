// `runnel test`: the cases of the pipelines, in virtual time.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/cases.h"
#include "config/file.h"
#include "daemon/commands/commands.h"
#include "daemon/commands/load.h"

namespace runnel {
namespace {

constexpr int kFailed = 1;
constexpr int kWrong = 2;
constexpr std::size_t kFileMax = 1 << 20;

using Ran = std::vector<std::pair<Case, CaseReport>>;

struct FileRun {
  std::string path;
  std::string pipeline;
  Ran cases;
};

std::string Xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t') {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

bool WriteJunit(const std::string& path, const std::vector<FileRun>& files) {
  std::ofstream out(path, std::ios::binary);
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const FileRun& file : files) {
    std::size_t failures = 0;
    for (const auto& [test, report] : file.cases) failures += report.passed ? 0 : 1;
    out << "  <testsuite name=\"" << Xml(file.pipeline) << "\" tests=\"" << file.cases.size()
        << "\" failures=\"" << failures << "\">\n";
    for (const auto& [test, report] : file.cases) {
      out << "    <testcase classname=\"" << Xml(file.pipeline) << "\" name=\"" << Xml(test.name)
          << "\" file=\"" << Xml(file.path) << "\" line=\"" << test.position.line << "\"";
      if (report.passed) {
        out << "/>\n";
      } else {
        out << ">\n      <failure message=\"not as expected\">" << Xml(report.difference)
            << "</failure>\n    </testcase>\n";
      }
    }
    out << "  </testsuite>\n";
  }
  out << "</testsuites>\n";
  out.close();
  return out.good();
}

// All of the file or none of it: a full disk takes nobody's tests away. Of a link what it
// stands for.
bool ReplaceFile(const std::string& path, const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return false;
  const std::string beside = real.string() + ".new";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  bool written = out.good();
  if (written) fs::permissions(beside, fs::status(real, error).permissions(), error);
  if (written) fs::rename(beside, real, error);
  written = written && !error;
  if (!written) fs::remove(beside, error);
  return written;
}

// 0, or the exit code after what was printed.
int Update(const FileRun& file) {
  const Result<std::string> text = ReadWholeFile(file.path, kFileMax);
  if (!text.ok()) {
    std::fprintf(stderr, "error: %s\n", text.error().message.c_str());
    return kFailed;
  }
  const std::optional<std::string> updated = UpdateExpected(text.value(), file.cases);
  if (!updated.has_value()) {
    std::fprintf(
        stderr, "error: `%s` cannot be updated: an `expect:` does not stand on a line of its own\n",
        file.path.c_str());
    return kFailed;
  }
  if (ReplaceFile(file.path, *updated)) return 0;
  std::fprintf(stderr, "error: `%s` cannot be written, it is as it was\n", file.path.c_str());
  return kFailed;
}

void PrintCase(const FileRun& file, const Case& test, const CaseReport& report) {
  std::printf("%s  %s: %s\n", report.passed ? "ok  " : "FAIL", file.pipeline.c_str(),
              test.name.c_str());
  if (report.passed) return;
  std::printf("  %s:%d\n%s", file.path.c_str(), test.position.line, report.difference.c_str());
}

}  // namespace

int TestCommand(const CommandLine& line) {
  Diagnostics diagnostics;
  std::optional<Loaded> loaded = LoadAll(line, diagnostics);
  std::vector<FileRun> files;
  std::vector<std::vector<Case>> cases;
  if (loaded.has_value()) {
    for (const PipelineFile& file : loaded->files) {
      std::optional<std::vector<Case>> read = ReadCases(file.root, diagnostics);
      cases.push_back(read.has_value() ? std::move(*read) : std::vector<Case>());
    }
  }
  std::fputs(diagnostics.Format().c_str(), stderr);
  if (diagnostics.has_errors()) return kWrong;
  std::size_t passed = 0;
  std::size_t failed = 0;
  int code = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    FileRun& file = files.emplace_back();
    file.path = loaded->files[i].path;
    file.pipeline = loaded->pipelines[i].plan->name();
    if (cases[i].empty()) std::printf("none  %s has no tests\n", file.pipeline.c_str());
    for (const Case& test : cases[i]) {
      CaseReport report = RunCase(*loaded->pipelines[i].plan, test);
      ++(report.passed ? passed : failed);
      PrintCase(file, test, report);
      file.cases.emplace_back(test, std::move(report));
    }
    if (line.update) code = std::max(code, Update(file));
  }
  std::printf("%zu passed, %zu failed%s\n", passed, failed,
              line.update && failed > 0 ? ", updated" : "");
  if (!line.junit.empty() && !WriteJunit(line.junit, files)) {
    std::fprintf(stderr, "error: `%s` cannot be written\n", line.junit.c_str());
    return kFailed;
  }
  return failed > 0 && !line.update ? kFailed : code;
}

}  // namespace runnel
