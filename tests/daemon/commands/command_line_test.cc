#include "daemon/commands/command_line.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

TEST(CommandLine, TakesCommandsOptionsAndPipelines) {
  const CommandLine line = ParseCommandLine({"run", "-c", "d.yaml", "a.yaml", "folder"});
  EXPECT_EQ(line.problem, "");
  EXPECT_EQ(line.verb, Verb::kRun);
  EXPECT_EQ(line.device_file, "d.yaml");
  EXPECT_EQ(line.pipelines, (std::vector<std::string>{"a.yaml", "folder"}));
  EXPECT_TRUE(ParseCommandLine({"status", "--json"}).json);
  EXPECT_EQ(ParseCommandLine({"check", "--help"}).about, Verb::kCheck);
  EXPECT_EQ(ParseCommandLine({"--version"}).verb, Verb::kVersion);
}

struct Wrong {
  std::vector<std::string> words;
  const char* problem;
};

TEST(CommandLine, SaysWhatIsWrong) {
  const Wrong cases[] = {
      {{}, "no command given\n  hint: see `runnel --help`"},
      {{"rnu"}, "unknown command `rnu`\n  hint: did you mean `run`?"},
      {{"--hepl"}, "unknown option `--hepl`\n  hint: did you mean `--help`?"},
      {{"run", "--confg", "x"}, "unknown option `--confg`\n  hint: did you mean `--config`?"},
      {{"run", "-c"}, "`-c` needs the name of a file"},
      {{"frobnicate"}, "unknown command `frobnicate`\n  hint: see `runnel --help`"},
  };
  for (const Wrong& each : cases) {
    EXPECT_EQ(ParseCommandLine(each.words).problem, each.problem);
  }
}

TEST(CommandLine, HelpNamesEveryCommandAndFitsATerminal) {
  const std::string help = HelpText(Verb::kHelp);
  for (const char* verb : {"run", "check", "explain", "status"}) {
    EXPECT_NE(help.find(std::string("\n  ") + verb), std::string::npos) << verb;
  }
  std::size_t begin = 0;
  while (begin < help.size()) {
    const std::size_t end = help.find('\n', begin);
    EXPECT_LE(end - begin, 88u) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace runnel
