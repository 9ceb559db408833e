#include "daemon/commands/batch_command.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "daemon/batch/batch_run.h"
#include "daemon/batch/places.h"
#include "daemon/commands/commands.h"
#include "daemon/commands/executables.h"
#include "pipelines/base/time.h"
#include "pipelines/spec/diagnostics.h"

namespace runnel {
namespace {

constexpr std::size_t kWorkersMax = 256;
constexpr std::uint64_t kMemoryMin = 32 << 20;
constexpr std::uint64_t kChunkMin = 4096;
constexpr std::uint64_t kChunkMax = 256 << 20;
constexpr Duration kRowTimeoutMin = std::chrono::milliseconds(100);
constexpr Duration kRowTimeoutMax = std::chrono::minutes(10);

constexpr const char* kHelp =
    "runnel batch: run a pipeline over files instead of messages\n"
    "\n"
    "usage: runnel batch PIPELINE -i INPUT... -o OUTPUT [OPTION...]\n"
    "\n"
    "The same pipeline as on the device; its source and sink are left alone. Every\n"
    "row of the inputs is a message. Windows close at the end of the input, so rows\n"
    "out of order are never late, but for sliding windows, which give a result for\n"
    "each row as it comes. The work is split over the processors; the output is the\n"
    "same, byte for byte, for any number of them.\n"
    "\n"
    "  runnel batch room.yaml -i yesterday.csv -o minutes.csv\n"
    "  runnel batch room.yaml -i 'logs/*.ndjson.gz' -o - --format ndjson\n"
    "\n"
    "  -i, --input INPUT...   files, folders, patterns in quotes, - for standard input;\n"
    "                         gzip and zstd are unpacked; in the order given\n"
    "  -o, --output OUTPUT    the file to write, - for standard output; it is there\n"
    "                         whole or not at all\n"
    "  --format FORMAT        of the output: csv, ndjson or line; without it by the\n"
    "                         file's name, or as the pipeline encodes\n"
    "  --input-format FORMAT  of the inputs; without it by their names, or as the\n"
    "                         pipeline decodes\n"
    "  --topic TOPIC          what the rows' topic was, for names captured from it\n"
    "  --topic-column COLUMN  the column that has it; without either, columns of the\n"
    "                         captured names are used\n"
    "  --as-stream            rows come late as they would on the device; not with\n"
    "                         --resume\n"
    "  --workers N            processes that work; as many as there are processors\n"
    "  --memory SIZE          what to keep in memory (64MiB); the rest goes to a file\n"
    "  --rejects FILE         rows that could not be used (OUTPUT.rejects.csv)\n"
    "  --max-errors N         stop when there are more of them\n"
    "  --row-timeout TIME     longest work on one row before its worker is killed (30s);\n"
    "                         at the second time the row is rejected\n"
    "  --resume               go on with a run that was killed\n"
    "  --progress             lines about how far it is, also without a terminal\n"
    "  --json                 where all rows went, for programs\n"
    "  --chunk SIZE           bytes that are worked on at once (4MiB)\n"
    "\n"
    "Exit codes: 0 done, 1 the work failed, or every row or result was rejected, 2 wrong usage\n"
    "or configuration, 130 and 143 stopped by a signal.\n";

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

// `64MiB`, `512KiB`, `2GiB`, or bytes.
std::optional<std::uint64_t> ParseSize(std::string_view text) {
  int shift = 0;
  for (const auto& [unit, bits] : {std::pair{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}) {
    if (!text.ends_with(unit)) continue;
    shift = bits;
    text.remove_suffix(3);
    break;
  }
  const std::optional<std::uint64_t> number = ParseNumber(text);
  if (!number.has_value() || *number > UINT64_MAX >> shift) return std::nullopt;
  return *number << shift;
}

class Words final {
 public:
  Words(const std::vector<std::string>& words, BatchOptions& options)
      : words_(words), options_(options) {}

  std::string Parse() {
    for (; at_ < words_.size() && problem_.empty(); ++at_) {
      const std::string& word = words_[at_];
      if (word == "-i" || word == "--input") {
        TakeInputs();
      } else if (word.starts_with('-') && word.size() > 1) {
        TakeOption(word);
      } else if (options_.pipeline.empty()) {
        options_.pipeline = word;
      } else {
        problem_ = "`" + word + "` is one pipeline too many\n  hint: inputs stand behind `-i`";
      }
    }
    if (problem_.empty()) Check();
    return problem_;
  }

 private:
  void TakeInputs() {
    const std::size_t before = options_.inputs.size();
    while (at_ + 1 < words_.size() &&
           (words_[at_ + 1] == "-" || !words_[at_ + 1].starts_with('-'))) {
      options_.inputs.push_back(words_[++at_]);
    }
    if (options_.inputs.size() == before) problem_ = "`-i` needs the name of a file";
  }

  const std::string* Value(const std::string& option, const char* what) {
    if (at_ + 1 < words_.size()) return &words_[++at_];
    problem_ = "`" + option + "` needs " + what;
    return nullptr;
  }

  void TakeText(const std::string& option, const char* what, std::string& text) {
    if (const std::string* value = Value(option, what)) text = *value;
  }

  void TakeSize(const std::string& option, std::uint64_t least, std::uint64_t most,
                std::uint64_t& size) {
    const std::string* value = Value(option, "a size, such as 64MiB");
    if (value == nullptr) return;
    const std::optional<std::uint64_t> read = ParseSize(*value);
    if (read.has_value() && *read >= least && *read <= most) {
      size = *read;
      return;
    }
    const bool too_much = read.has_value() && *read > most;
    problem_ = "`" + option + "` is a size of at " +
               (too_much ? "most " + Sized(most) : "least " + Sized(least)) +
               ", such as 64MiB, found `" + *value + "`";
  }
  static std::string Sized(std::uint64_t bytes) {
    return bytes >= 1 << 20 ? std::to_string(bytes >> 20) + "MiB"
                            : std::to_string(bytes >> 10) + "KiB";
  }

  void TakeNumber(const std::string& option, std::uint64_t least, std::uint64_t most,
                  std::uint64_t& number) {
    const std::string* value = Value(option, "a number");
    if (value == nullptr) return;
    const std::optional<std::uint64_t> read = ParseNumber(*value);
    if (read.has_value() && *read >= least && *read <= most) {
      number = *read;
      return;
    }
    const bool too_much = read.has_value() && *read > most;
    problem_ =
        "`" + option + "` is a number " +
        (too_much ? "up to " + std::to_string(most) : "from " + std::to_string(least) + " on") +
        ", found `" + *value + "`";
  }

  void TakeRowTimeout(const std::string& option) {
    const std::string* value = Value(option, "a duration, such as 30s");
    if (value == nullptr) return;
    const std::optional<Duration> read = ParseDuration(*value);
    if (read.has_value() && *read >= kRowTimeoutMin && *read <= kRowTimeoutMax) {
      options_.row_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(*read);
      return;
    }
    problem_ =
        "`" + option + "` is a duration from 100ms to 10m, such as 30s, found `" + *value + "`";
  }

  bool TakeFlag(const std::string& word) {
    for (const auto& [name, flag] : {std::pair{"--resume", &BatchOptions::resume},
                                     {"--as-stream", &BatchOptions::as_stream},
                                     {"--progress", &BatchOptions::progress},
                                     {"--json", &BatchOptions::json}}) {
      if (word == name) return options_.*flag = true;
    }
    return false;
  }

  void TakeOption(const std::string& word) {
    if (TakeFlag(word)) return;
    std::uint64_t number = 0;
    if (word == "-o" || word == "--output")
      return TakeText(word, "the name of a file", options_.output);
    if (word == "--format") return TakeText(word, "csv, ndjson or line", options_.format);
    if (word == "--input-format")
      return TakeText(word, "csv, ndjson or line", options_.input_format);
    if (word == "--topic") return TakeText(word, "a topic", options_.topic);
    if (word == "--topic-column")
      return TakeText(word, "a column", options_.topic_column.emplace());
    if (word == "--rejects") return TakeText(word, "the name of a file", options_.rejects);
    if (word == "--row-timeout") return TakeRowTimeout(word);
    if (word == "--memory") return TakeSize(word, kMemoryMin, UINT64_MAX >> 16, options_.memory);
    if (word == "--chunk") {
      number = options_.chunk_bytes;
      TakeSize(word, kChunkMin, kChunkMax, number);
      options_.chunk_bytes = number;
      return;
    }
    if (word == "--workers") {
      TakeNumber(word, 1, kWorkersMax, number);
      options_.workers = number;
      return;
    }
    if (word == "--max-errors") {
      TakeNumber(word, 0, UINT64_MAX, number);
      options_.errors_max = number;
      return;
    }
    Unknown(word);
  }

  void Unknown(const std::string& word) {
    const std::vector<std::string_view> names = {
        "--input",     "--output",  "--format", "--input-format", "--topic",      "--topic-column",
        "--as-stream", "--workers", "--memory", "--rejects",      "--max-errors", "--resume",
        "--progress",  "--json",    "--chunk",  "--row-timeout",  "--help"};
    const std::string_view meant = DidYouMean(word, names);
    problem_ = "unknown option `" + word + "`\n  hint: " +
               (meant.empty() ? "see `runnel batch --help`"
                              : "did you mean `" + std::string(meant) + "`?");
  }

  void Check() {
    const char* const usage = "\n  hint: runnel batch PIPELINE -i INPUT... -o OUTPUT";
    if (options_.pipeline.empty()) {
      problem_ = std::string("no pipeline given") + usage;
    } else if (options_.inputs.empty()) {
      problem_ = std::string("no input given") + usage;
    } else if (options_.output.empty()) {
      problem_ = std::string("no output given") + usage;
    } else if (!options_.topic.empty() && options_.topic_column.has_value()) {
      problem_ = "`--topic` and `--topic-column` are both there: a row has one topic";
    } else if (options_.as_stream && options_.resume) {
      problem_ =
          "`--resume` cannot go on in the middle of a stream\n  hint: leave `--as-stream` out";
    }
  }

  const std::vector<std::string>& words_;
  BatchOptions& options_;
  std::size_t at_ = 0;
  std::string problem_;
};

}  // namespace

std::string ParseBatchWords(const std::vector<std::string>& words, BatchOptions& options) {
  return Words(words, options).Parse();
}

std::string BatchHelp() { return kHelp; }

int BatchCommand(const CommandLine& line) {
  BatchOptions options;
  if (const std::string problem = ParseBatchWords(line.pipelines, options); !problem.empty()) {
    std::fprintf(stderr, "error: %s\n", problem.c_str());
    return 2;
  }
  options.output = BehindLinks(options.output);
  options.rejects = BehindLinks(options.rejects);
  options.worker_executable = FindExecutable("runnel-worker");
#ifdef RUNNEL_TEST_HOOKS
  if (const char* poison = std::getenv("RUNNEL_TEST_POISON")) options.poison_text = poison;
#endif
  return RunBatch(options);
}

}  // namespace runnel
