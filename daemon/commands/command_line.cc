#include "daemon/commands/command_line.h"

#include <array>
#include <string_view>

#include "daemon/commands/batch_command.h"
#include "pipelines/spec/diagnostics.h"

namespace runnel {
namespace {

// What may stand behind a command.
enum class Takes { kPipelines, kWords };

struct VerbName {
  const char* name;
  Verb verb;
  Takes takes;
  const char* usage;  // behind `runnel NAME `
  const char* summary;
  const char* options;  // lines for the help of the command; may be empty
};

constexpr std::array<VerbName, 11> kVerbs = {{
    {"run", Verb::kRun, Takes::kPipelines, "[-c FILE] [PIPELINE...]",
     "run the pipelines: the daemon", ""},
    {"check", Verb::kCheck, Takes::kPipelines, "[-c FILE] [PIPELINE...]",
     "check runnel.yaml and the pipelines, print all that is wrong", ""},
    {"explain", Verb::kExplain, Takes::kPipelines, "[-c FILE] [--batch] [PIPELINE...]",
     "show what the pipelines do, what they guarantee and need",
     "  --batch        also how they would go over files, and why\n"},
    {"test", Verb::kTest, Takes::kPipelines, "[-c FILE] [--update] [--junit FILE] [PIPELINE...]",
     "run the `tests:` of the pipelines, in virtual time",
     "  --update       write what came out into the files, as what is expected\n"
     "  --junit FILE   also write the results as JUnit XML\n"},
    {"batch", Verb::kBatch, Takes::kWords, "PIPELINE -i INPUT... -o OUTPUT [OPTION...]",
     "run a pipeline over files instead of messages", ""},
    {"try", Verb::kTry, Takes::kWords, "EXPRESSION [--record JSON] [--topic TOPIC]",
     "evaluate an expression on a record",
     "  --record JSON  the record, such as '{\"temp\": 21.5}'; {} without it\n"
     "  --topic TOPIC  its topic, for topic()\n"},
    {"list", Verb::kList, Takes::kWords, "[operators|aggregates|codecs|functions]",
     "list what pipelines are made of", "  --json         for programs\n"},
    {"describe", Verb::kDescribe, Takes::kWords, "NAME...",
     "describe an operator, an aggregate, a codec or a function", ""},
    {"schema", Verb::kSchema, Takes::kWords, "[pipeline|runnel]",
     "print the JSON Schema of pipeline files, or of runnel.yaml", ""},
    {"reference", Verb::kReference, Takes::kWords, "",
     "print the manual of everything, as Markdown", ""},
    {"status", Verb::kStatus, Takes::kPipelines, "[-c FILE] [--json] [PIPELINE...]",
     "show where the messages went, from the journals", "  --json         for programs\n"},
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

std::vector<std::string_view> VerbNames() {
  std::vector<std::string_view> names;
  for (const VerbName& verb : kVerbs) names.push_back(verb.name);
  return names;
}

// Options with a value, and the commands that have them.
struct ValueOption {
  const char* name;
  Verb verb;  // kHelp: every command about pipelines
  std::string CommandLine::*value;
};
constexpr ValueOption kValueOptions[] = {
    {"-c", Verb::kHelp, &CommandLine::device_file},
    {"--config", Verb::kHelp, &CommandLine::device_file},
    {"--junit", Verb::kTest, &CommandLine::junit},
    {"--record", Verb::kTry, &CommandLine::record},
    {"--topic", Verb::kTry, &CommandLine::topic},
};

// An option of a command; moves `i` behind its value.
bool TakeOption(const std::vector<std::string>& words, std::size_t& i, const VerbName& verb,
                CommandLine& line) {
  const std::string& word = words[i];
  std::vector<std::string_view> names = {"--help"};
  if (word == "--help" || word == "-h") {
    line.about = line.verb;
    line.verb = Verb::kHelp;
    return true;
  }
  for (const ValueOption& option : kValueOptions) {
    const bool has =
        option.verb == Verb::kHelp ? verb.takes == Takes::kPipelines : option.verb == line.verb;
    if (!has) continue;
    names.push_back(option.name);
    if (word != option.name) continue;
    if (i + 1 == words.size()) {
      line.problem = "`" + word + "` needs " +
                     (word == "--record" || word == "--topic" ? "a value" : "the name of a file");
      return false;
    }
    line.*option.value = words[++i];
    return true;
  }
  if (line.verb == Verb::kStatus || line.verb == Verb::kList) {
    names.push_back("--json");
    if (word == "--json") return line.json = true;
  }
  if (line.verb == Verb::kExplain) {
    names.push_back("--batch");
    if (word == "--batch") return line.batch = true;
  }
  if (line.verb == Verb::kTest) {
    names.push_back("--update");
    if (word == "--update") return line.update = true;
  }
  line.problem = Unknown("option", word, names);
  return false;
}

// An expression may begin with a sign.
bool IsOption(std::string_view word, Verb verb) {
  const bool is_option = word.size() > 1 && word[0] == '-';
  return verb == Verb::kTry ? is_option && (word[1] == '-' || word == "-h") : is_option;
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& words) {
  CommandLine line;
  if (words.empty()) {
    line.problem = "no command given\n  hint: see `runnel --help`";
    return line;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    if (words[0] != "help" || words.size() == 1) return line;
    if (const VerbName* about = FindVerb(words[1]); about != nullptr) {
      line.about = about->verb;
    } else {
      line.problem = Unknown("command", words[1], VerbNames());
    }
    return line;
  }
  if (words[0] == "--version" || words[0] == "version") {
    line.verb = Verb::kVersion;
    return line;
  }
  const VerbName* verb = FindVerb(words[0]);
  if (verb == nullptr) {
    std::vector<std::string_view> names = VerbNames();
    names.insert(names.end(), {"--help", "--version"});
    line.problem = Unknown(words[0].starts_with('-') ? "option" : "command", words[0], names);
    if (words[0] == "-c" || words[0] == "--config") {
      line.problem = "`" + words[0] +
                     "` stands behind the command\n  hint: such as `runnel check " + words[0] +
                     " FILE`";
    }
    return line;
  }
  line.verb = verb->verb;
  if (line.verb == Verb::kBatch) {
    line.pipelines.assign(words.begin() + 1, words.end());
    for (const std::string& word : line.pipelines) {
      if (word != "--help" && word != "-h") continue;
      line.about = line.verb;
      line.verb = Verb::kHelp;
      break;
    }
    return line;
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "--") {
      line.pipelines.insert(line.pipelines.end(),
                            words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (IsOption(words[i], verb->verb)) {
      if (!TakeOption(words, i, *verb, line) || line.verb == Verb::kHelp) return line;
    } else {
      line.pipelines.push_back(words[i]);
    }
  }
  return line;
}

std::string HelpText(Verb about) {
  std::string text;
  if (about == Verb::kBatch) return BatchHelp();
  for (const VerbName& verb : kVerbs) {
    if (verb.verb != about) continue;
    text = std::string("runnel ") + verb.name + ": " + verb.summary + "\n\nusage: runnel " +
           verb.name + " " + verb.usage + "\n";
    if (verb.takes == Takes::kPipelines) {
      text += kOptions;
    } else if (*verb.options != 0) {
      text += "\n";
    }
    return text + verb.options;
  }
  text = kGeneral;
  for (const VerbName& verb : kVerbs) {
    const std::string name = verb.name;
    text += "  " + name + std::string(15 - name.size(), ' ') + verb.summary + "\n";
  }
  return text + kOptions + kTail;
}

}  // namespace runnel
