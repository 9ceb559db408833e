#include "daemon/batch/places.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace runnel {
namespace {

namespace fs = std::filesystem;

// By what they are where both are there, else by name.
bool AreTheSame(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const auto full = [&error](const std::string& path) {
    return fs::weakly_canonical(fs::absolute(path, error), error);
  };
  return full(a) == full(b) && !error;
}

// The next link on the way to a file.
fs::path Followed(const fs::path& file, std::error_code& error) {
  // operator/ leaves an absolute target as it is.
  return file.parent_path() / fs::read_symlink(file, error);
}

constexpr int kLinksMax = 40;  // as of the system

// Whether it is a name of an open file, such as /dev/stdout.
bool IsDescriptor(fs::path file) {
  std::error_code error;
  for (int links = 0; links < kLinksMax; ++links) {
    const std::string& name = file.native();
    if (name.starts_with("/proc/") || name.starts_with("/dev/fd/")) return true;
    if (!fs::is_symlink(file, error)) return false;
    file = Followed(file, error);
  }
  return false;
}

// Of an output `name` (an option) that is a file.
std::string WrongOutput(const char* name, const std::string& path, const BatchOptions& options,
                        const std::vector<InputFile>& inputs) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  const std::string no_file =
      "`" + path + "` is no file, and " + name + " would replace it" +
      (path == options.output ? "\n  hint: `-o - > " + path + "` writes to it" : "");
  if (IsDescriptor(path)) return no_file;
  if (status.type() == fs::file_type::none) return "`" + path + "`: " + error.message();
  if (status.type() == fs::file_type::directory) return "`" + path + "` is a folder";
  if (fs::exists(status) && status.type() != fs::file_type::regular) return no_file;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) {
    return "there is no folder `" + folder.string() + "` for `" + path + "`";
  }
  if (AreTheSame(path, options.pipeline)) {
    return "`" + path + "` is the pipeline, and " + name + " would replace it";
  }
  for (const InputFile& input : inputs) {
    if (input.IsStdin() || !AreTheSame(path, input.path)) continue;
    return "`" + path + "` is an input, and " + name + " would replace it";
  }
  return {};
}

// Where an input is what the run writes beside its outputs.
std::string WrongInput(const BatchOptions& options, const std::vector<InputFile>& inputs) {
  std::error_code error;
  for (const std::string& output : {options.output, options.rejects}) {
    if (output.empty() || output == "-") continue;
    for (const std::string_view end : kRunEnds) {
      const std::string path = output + std::string(end);
      if (!fs::exists(path, error)) continue;
      for (const InputFile& input : inputs) {
        if (input.IsStdin() || !AreTheSame(path, input.path)) continue;
        return "`" + input.path + "` is an input, and the run to `" + output +
               "` would write to it\n  hint: it is what a run that was killed has left; `--resume` "
               "goes on with that";
      }
    }
  }
  return {};
}

}  // namespace

std::string RejectsPart(const BatchOptions& options) {
  const std::string& beside = options.rejects.empty() ? options.output : options.rejects;
  return beside + ".runnel-rejects";
}

std::string RejectsPath(const BatchOptions& options) {
  if (!options.rejects.empty() || options.output == "-") return options.rejects;
  return options.output + ".rejects.csv";
}

std::string BehindLinks(const std::string& path) {
  if (IsDescriptor(path)) return path;
  fs::path file(path);
  std::error_code error;
  for (int links = 0; links < kLinksMax && fs::is_symlink(file, error); ++links) {
    file = Followed(file, error);
  }
  return file;
}

std::string WrongPlace(const BatchOptions& options, const std::vector<InputFile>& inputs) {
  const std::string rejects = RejectsPath(options);
  for (const auto& [name, path] :
       {std::pair{"`-o`", &options.output}, std::pair{"`--rejects`", &rejects}}) {
    if (path->empty() || (*path == "-" && path == &options.output)) continue;
    std::string wrong = WrongOutput(name, *path, options, inputs);
    if (!wrong.empty()) return wrong;
  }
  for (const auto& [end, program] : {std::pair{".gz", "gzip"}, std::pair{".zst", "zstd"}}) {
    if (!options.output.ends_with(end)) continue;
    return "`" + options.output + "`: outputs are not packed\n  hint: `-o - | " + program + " > " +
           options.output + "`, with `--format`";
  }
  if (options.output != "-" && !rejects.empty() && AreTheSame(options.output, rejects)) {
    return "`" + rejects + "` cannot have both, the output and `--rejects`";
  }
  if (std::string wrong = WrongInput(options, inputs); !wrong.empty()) return wrong;
  if (!options.resume) return {};
  if (options.output == "-") return "`--resume` needs an output file";
  const auto stream =
      std::find_if(inputs.begin(), inputs.end(), [](const auto& input) { return input.is_stream; });
  if (stream == inputs.end()) return {};
  return "`--resume` needs files: " +
         (stream->IsStdin() ? "standard input" : "`" + stream->path + "`") + " is gone";
}

}  // namespace runnel
