// CommandLine: the words after `runnel`, checked.
#pragma once

#include <string>
#include <vector>

namespace runnel {

enum class Verb {
  kHelp,
  kVersion,
  kRun,
  kCheck,
  kExplain,
  kTest,
  kBatch,
  kTry,
  kList,
  kDescribe,
  kSchema,
  kReference,
  kStatus
};

struct CommandLine {
  Verb verb = Verb::kHelp;
  Verb about = Verb::kHelp;            // kHelp: of which verb; kHelp itself for all
  std::string device_file;             // -c FILE
  bool json = false;                   // --json
  bool batch = false;                  // explain --batch
  bool update = false;                 // test --update
  std::string junit;                   // test --junit FILE
  std::string record;                  // try --record JSON
  std::string topic;                   // try --topic TOPIC
  std::vector<std::string> pipelines;  // files and folders; of other commands what they are
                                       // about, of `batch` all words
  std::string problem;                 // not empty: wrong usage, with a hint
};

CommandLine ParseCommandLine(const std::vector<std::string>& words);

// What `runnel --help` or `runnel VERB --help` prints.
std::string HelpText(Verb about);

}  // namespace runnel
