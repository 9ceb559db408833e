#include "daemon/commands/command_line.h"

#include <array>
#include <string_view>

#include "pipelines/spec/diagnostics.h"

namespace runnel {
namespace {

struct VerbName {
  const char* name;
  Verb verb;
  const char* summary;
};

constexpr std::array<VerbName, 4> kVerbs = {{
    {"run", Verb::kRun, "run the pipelines: the daemon"},
    {"check", Verb::kCheck, "check runnel.yaml and the pipelines, print all that is wrong"},
    {"explain", Verb::kExplain, "show what the pipelines do, what they guarantee and need"},
    {"status", Verb::kStatus, "show where the messages went, from the journals"},
}};

constexpr const char* kGeneral =
    "runnel takes sensor messages in over MQTT, runs pipelines over them in worker\n"
    "processes and publishes the results, without losing or double-counting any.\n"
    "\n"
    "usage: runnel COMMAND [-c FILE] [PIPELINE...]\n"
    "\n";

constexpr const char* kOptions =
    "\n"
    "  -c FILE        the device's configuration; without it /etc/runnel/runnel.yaml,\n"
    "                 and without that file one broker on this host\n"
    "  PIPELINE       pipeline files, or folders of them, instead of `pipelines:`\n";

constexpr const char* kTail =
    "\n"
    "  runnel COMMAND --help    more about a command\n"
    "  runnel --version         the version\n"
    "\n"
    "To begin: write a pipeline file (see /usr/share/doc/runnel/examples), then\n"
    "  runnel check my.yaml\n"
    "  runnel run my.yaml\n"
    "\n"
    "Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

const VerbName* FindVerb(std::string_view word) {
  for (const VerbName& verb : kVerbs) {
    if (word == verb.name) return &verb;
  }
  return nullptr;
}

std::string Unknown(const char* what, const std::string& word,
                    const std::vector<std::string_view>& candidates) {
  std::string text = std::string("unknown ") + what + " `" + word + "`\n  hint: ";
  const std::string_view meant = DidYouMean(word, candidates);
  text += meant.empty() ? "see `runnel --help`" : "did you mean `" + std::string(meant) + "`?";
  return text;
}

// An option of a command; moves `i` behind its value.
bool TakeOption(const std::vector<std::string>& words, std::size_t& i, CommandLine& line) {
  const std::string& word = words[i];
  if (word == "--help" || word == "-h") {
    line.about = line.verb;
    line.verb = Verb::kHelp;
  } else if (word == "--json" && line.verb == Verb::kStatus) {
    line.json = true;
  } else if (word == "-c" || word == "--config") {
    if (i + 1 == words.size()) {
      line.problem = "`" + word + "` needs the name of a file";
      return false;
    }
    line.device_file = words[++i];
  } else {
    line.problem = Unknown("option", word, {"-c", "--config", "--json", "--help"});
    return false;
  }
  return true;
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& words) {
  CommandLine line;
  if (words.empty()) {
    line.problem = "no command given\n  hint: see `runnel --help`";
    return line;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return line;
  if (words[0] == "--version" || words[0] == "version") {
    line.verb = Verb::kVersion;
    return line;
  }
  const VerbName* verb = FindVerb(words[0]);
  if (verb == nullptr) {
    std::vector<std::string_view> names = {"--help", "--version"};
    for (const VerbName& each : kVerbs) names.push_back(each.name);
    line.problem = Unknown(words[0].starts_with('-') ? "option" : "command", words[0], names);
    return line;
  }
  line.verb = verb->verb;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-') && words[i].size() > 1) {
      if (!TakeOption(words, i, line) || line.verb == Verb::kHelp) return line;
    } else {
      line.pipelines.push_back(words[i]);
    }
  }
  return line;
}

std::string HelpText(Verb about) {
  std::string text;
  for (const VerbName& verb : kVerbs) {
    if (verb.verb != about) continue;
    text = std::string("runnel ") + verb.name + ": " + verb.summary + "\n\nusage: runnel " +
           verb.name + " [-c FILE] " + (about == Verb::kStatus ? "[--json] " : "") +
           "[PIPELINE...]\n" + kOptions;
    if (about == Verb::kStatus) text += "  --json         for programs\n";
    return text;
  }
  text = kGeneral;
  for (const VerbName& verb : kVerbs) {
    const std::string name = verb.name;
    text += "  " + name + std::string(15 - name.size(), ' ') + verb.summary + "\n";
  }
  return text + kOptions + kTail;
}

}  // namespace runnel
