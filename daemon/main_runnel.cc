// runnel: the daemon and the command line.
#include <cstdio>
#include <string>
#include <vector>

#include "daemon/commands/commands.h"

#ifndef RUNNEL_VERSION
#error "the build defines RUNNEL_VERSION"
#endif

namespace {

int Dispatch(const runnel::CommandLine& line) {
  switch (line.verb) {
    case runnel::Verb::kHelp:
      std::fputs(runnel::HelpText(line.about).c_str(), stdout);
      return 0;
    case runnel::Verb::kVersion:
      std::puts("runnel " RUNNEL_VERSION);
      return 0;
    case runnel::Verb::kRun:
      return runnel::RunCommand(line);
    case runnel::Verb::kCheck:
      return runnel::CheckCommand(line);
    case runnel::Verb::kExplain:
      return runnel::ExplainCommand(line);
    case runnel::Verb::kBatch:
      return runnel::BatchCommand(line);
    case runnel::Verb::kTest:
      return runnel::TestCommand(line);
    case runnel::Verb::kTry:
      return runnel::TryCommand(line);
    case runnel::Verb::kList:
      return runnel::ListCommand(line);
    case runnel::Verb::kDescribe:
      return runnel::DescribeCommand(line);
    case runnel::Verb::kSchema:
      return runnel::SchemaCommand(line);
    case runnel::Verb::kReference:
      return runnel::ReferenceCommand(line);
    case runnel::Verb::kStatus:
      return runnel::StatusCommand(line);
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const runnel::CommandLine line =
      runnel::ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!line.problem.empty()) {
    std::fprintf(stderr, "error: %s\n", line.problem.c_str());
    return 2;
  }
  return Dispatch(line);
}
