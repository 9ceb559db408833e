#include "daemon/batch/inputs.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <set>
#include <string_view>

#include "daemon/posix/fd.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

Result<InputFile> Describe(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return Errno("`" + path + "`");
  if (S_ISDIR(about.st_mode)) return Error{ErrorKind::kFix, "`" + path + "` is a folder"};
  InputFile file;
  file.path = path;
  file.is_stream = !S_ISREG(about.st_mode);
  file.size = file.is_stream ? 0 : static_cast<std::uint64_t>(about.st_size);
  file.modified = about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec;
  return file;
}

// A run that was killed leaves them; the next one would read what it writes.
bool IsOfRun(std::string_view path) {
  return std::any_of(std::begin(kRunEnds), std::end(kRunEnds),
                     [&](std::string_view end) { return path.ends_with(end); });
}

Status AddFolder(const std::string& path, std::vector<InputFile>& files) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with('.') || IsOfRun(name)) continue;
    if (entry.is_regular_file(error)) names.push_back(entry.path());
  }
  if (error) return Error{ErrorKind::kFix, "`" + path + "`: " + error.message()};
  if (names.empty()) return Error{ErrorKind::kFix, "there is no file in the folder `" + path + "`"};
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    Result<InputFile> file = Describe(name);
    if (!file.ok()) return file.error();
    files.push_back(std::move(file).value());
  }
  return {};
}

Status AddPattern(const std::string& pattern, std::vector<InputFile>& files) {
  glob_t found{};
  const int result = glob(pattern.c_str(), 0, nullptr, &found);
  Status status;
  if (result != 0 && result != GLOB_NOMATCH) {
    status = Error{ErrorKind::kFix, "`" + pattern + "` cannot be looked up"};
  }
  const std::size_t before = files.size();
  for (std::size_t i = 0; i < found.gl_pathc && status.ok(); ++i) {
    if (fs::is_directory(found.gl_pathv[i]) || IsOfRun(found.gl_pathv[i])) continue;
    Result<InputFile> file = Describe(found.gl_pathv[i]);
    if (!file.ok()) status = file.error();
    if (file.ok()) files.push_back(std::move(file).value());
  }
  globfree(&found);
  if (!status.ok() || files.size() > before) return status;
  return Error{ErrorKind::kFix, "there is no file `" + pattern + "`"};
}

std::string_view WithoutPacking(std::string_view name) {
  for (const std::string_view packed : {".gz", ".zst", ".zstd"}) {
    if (name.ends_with(packed)) name.remove_suffix(packed.size());
  }
  return name;
}

}  // namespace

Result<std::vector<InputFile>> ListInputs(const std::vector<std::string>& words) {
  std::vector<InputFile> files;
  for (const std::string& word : words) {
    Status added;
    std::error_code error;
    if (word == "-") {
      files.push_back({word, 0, 0, true});
    } else if (fs::is_directory(word, error)) {
      added = AddFolder(word, files);
    } else if (fs::exists(word, error) || word.find_first_of("*?[") == std::string::npos) {
      Result<InputFile> file = Describe(word);
      if (!file.ok()) return file.error();
      files.push_back(std::move(file).value());
    } else {
      added = AddPattern(word, files);
    }
    if (!added.ok()) return added.error();
  }
  std::set<std::string_view> streams;
  for (const InputFile& file : files) {
    if (!file.is_stream || streams.insert(file.path).second) continue;
    return Error{
        ErrorKind::kFix,
        (file.IsStdin() ? "standard input (`-`)" : "`" + file.path + "`") + " can be read once"};
  }
  return files;
}

std::string TwiceAmong(const std::vector<InputFile>& files) {
  std::set<std::string> seen;
  std::string first;
  std::size_t others = 0;
  for (const InputFile& file : files) {
    std::error_code error;
    const std::string path = fs::canonical(file.path, error);
    if (seen.insert(error ? file.path : path).second) continue;
    if (first.empty()) {
      first = file.path;
    } else {
      ++others;
    }
  }
  if (first.empty()) return {};
  return "`" + first + "` is an input twice" +
         (others == 0 ? ": its" : ", and " + std::to_string(others) + " more: their") +
         " rows count twice";
}

bool IsTsvByName(const std::string& path) { return WithoutPacking(path).ends_with(".tsv"); }

std::string FormatOfName(const std::string& path) {
  const std::string_view name = WithoutPacking(path);
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  if (ends(".csv") || ends(".tsv")) return "csv";
  if (ends(".ndjson") || ends(".jsonl") || ends(".json")) return "ndjson";
  if (ends(".line") || ends(".lp")) return "line";
  return {};
}

std::string_view ForeignFormatOfName(const std::string& path) {
  std::string lower = path;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string_view name = WithoutPacking(lower);
  constexpr std::string_view kForeign[] = {"parquet", "avro", "orc",  "arrow", "feather", "xlsx",
                                           "xls",     "ods",  "cbor", "db",    "sqlite",  "zip"};
  for (const std::string_view format : kForeign) {
    if (name.ends_with("." + std::string(format))) return format;
  }
  return {};
}

}  // namespace runnel
