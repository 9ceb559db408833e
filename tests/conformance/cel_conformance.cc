// cel_conformance FILE...: runs files of CEL's conformance suite (*.textproto).
//
// Prints a line per file, `string: passed 48, failed 0, skipped 3`, and then each
// failure with expression, expected and got. --skips names what was skipped and why.
// Exit code: 0 nothing failed, 1 something failed, 2 a file cannot be read.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/case.h"
#include "tests/conformance/textproto.h"

namespace {

using namespace runnel;
using namespace runnel::conformance;

struct Counts {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
};

void RunTest(const std::string& section, const Field& test, Counts& counts, std::string& failures,
             std::string& skips) {
  const Outcome outcome = RunCase(test);
  const std::string name = section + "/" + std::string(test.Text("name"));
  switch (outcome.verdict) {
    case Verdict::kPassed:
      ++counts.passed;
      return;
    case Verdict::kSkipped:
      ++counts.skipped;
      skips += "  skipped " + name + ": " + outcome.got + "\n";
      return;
    case Verdict::kFailed:
      ++counts.failed;
      failures += "  " + name + "\n    expression: " + std::string(test.Text("expr")) +
                  "\n    expected:   " + outcome.expected + "\n    got:        " + outcome.got +
                  "\n";
  }
}

enum class Skips { kCounted, kNamed };

// Failed tests, or -1 when the file cannot be read.
int RunFile(const char* path, Skips mode) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "error: `%s` cannot be read\n", path);
    return -1;
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Result<Field> parsed = ParseTextProto(text);
  if (!parsed.ok()) {
    std::fprintf(stderr, "error: `%s`: %s\n", path, parsed.error().message.c_str());
    return -1;
  }
  Counts counts;
  std::string failures;
  std::string skips;
  for (const Field& section : parsed.value().fields) {
    if (section.name != "section") continue;
    for (const Field& test : section.fields) {
      if (test.name != "test") continue;
      RunTest(std::string(section.Text("name")), test, counts, failures, skips);
    }
  }
  std::printf("%s: passed %d, failed %d, skipped %d\n%s",
              std::string(parsed.value().Text("name")).c_str(), counts.passed, counts.failed,
              counts.skipped, failures.c_str());
  if (mode == Skips::kNamed) std::fputs(skips.c_str(), stdout);
  return counts.failed;
}

}  // namespace

int main(int argc, char** argv) {
  Skips mode = Skips::kCounted;
  std::vector<const char*> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--skips") {
      mode = Skips::kNamed;
    } else {
      paths.push_back(argv[i]);
    }
  }
  if (paths.empty()) {
    std::fputs("usage: cel_conformance [--skips] FILE...\n", stderr);
    return 2;
  }
  int code = 0;
  for (const char* path : paths) {
    const int failed = RunFile(path, mode);
    if (failed < 0) return 2;
    if (failed > 0) code = 1;
  }
  return code;
}
