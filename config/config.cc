#include "config/config.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "config/file.h"
#include "config/lookup_file.h"
#include "config/time_zone.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

// Somebody's wish for pipelines: a file or a folder, and where it stands.
struct Wanted {
  std::string path;
  Position position;
};

class Loading final {
 public:
  Loading(const LoadOptions& options, Diagnostics& diagnostics)
      : options_(options), diagnostics_(diagnostics) {}

  void Device(Config& config) {
    std::string path = options_.device_file;
    std::error_code error;
    if (path.empty() && fs::exists(options_.device_file_default, error)) {
      path = options_.device_file_default;
    }
    config.device_is_right = false;
    if (!path.empty()) {
      std::optional<Node> root = Tree(path, Position{path, 0, 0}, Credentials::kAllowed);
      if (!root) return;
      device_ = std::move(*root);
    }
    if (std::optional<DeviceConfig> device = ReadDeviceConfig(device_, diagnostics_)) {
      LookForTlsFiles(*device, device_, diagnostics_);
      config.device = std::move(*device);
      config.device_is_right = true;
      device_path_ = path;
    }
  }

  void Pipelines(Config& config) {
    for (const Wanted& wanted : Wishes(config.device)) {
      for (const std::string& path : FilesOf(wanted)) {
        if (config.pipelines.size() == Config::kPipelinesMax) {
          diagnostics_.Error(wanted.position,
                             "more than " + std::to_string(Config::kPipelinesMax) + " pipelines");
          return;
        }
        Pipeline(path, wanted.position, config);
      }
    }
  }

 private:
  // The bytes of a file; nullopt after an error.
  std::optional<std::string> Bytes(const std::string& path, const Position& wanted_at) {
    Result<std::string> bytes = ReadWholeFile(path, options_.limits.bytes_max);
    if (bytes.ok()) return std::move(bytes).value();
    const bool elsewhere = wanted_at.file != path && !wanted_at.file.empty();
    diagnostics_.Error(elsewhere ? wanted_at : Position{path, 0, 0},
                       "cannot read " + (elsewhere ? "`" + path + "`" : std::string("the file")) +
                           ": " + bytes.error().message);
    return std::nullopt;
  }

  std::optional<Node> Tree(const std::string& path, const Position& wanted_at,
                           Credentials credentials) {
    const std::optional<std::string> bytes = Bytes(path, wanted_at);
    if (!bytes) return std::nullopt;
    std::optional<Node> root = ParseYaml(*bytes, path, options_.limits, diagnostics_);
    if (root && !Substitute(*root, options_.environment, credentials, diagnostics_)) root.reset();
    // One that is not there is an error by now; the rest of the file is read all the same.
    if (root) static_cast<void>(ResolveTimeZones(*root, kZoneFolder, diagnostics_));
    return root;
  }

  std::vector<Wanted> Wishes(const DeviceConfig& device) {
    std::vector<Wanted> wishes;
    for (const std::string& path : options_.pipelines) wishes.push_back({path, {path, 0, 0}});
    if (!wishes.empty()) return wishes;
    const Node* named = device_.Find("pipelines");
    for (std::size_t i = 0; i < device.pipelines.size(); ++i) {
      const std::string& path = device.pipelines[i];
      if (named == nullptr) {
        std::error_code error;
        if (fs::exists(path, error)) wishes.push_back({path, {path, 0, 0}});
        continue;
      }
      // operator/ leaves an absolute path as it is.
      const fs::path from = fs::path(device_path_).parent_path();
      const Node& node = named->IsSequence() ? named->items[i] : *named;
      wishes.push_back({(from / path).string(), node.position});
    }
    return wishes;
  }

  std::vector<std::string> FilesOf(const Wanted& wanted) {
    std::error_code error;
    if (!fs::is_directory(wanted.path, error)) return {wanted.path};
    std::vector<std::string> files;
    fs::directory_iterator entry(wanted.path, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      const bool yaml = name.ends_with(".yaml") || name.ends_with(".yml");
      std::error_code ignored;
      if (yaml && !name.starts_with('.') && entry->is_regular_file(ignored)) {
        files.push_back(entry->path().string());
      }
    }
    if (error) {
      diagnostics_.Error(wanted.position,
                         "cannot read folder `" + wanted.path + "`: " + error.message());
    }
    const bool by_hand = !options_.pipelines.empty();
    if (files.empty() && by_hand && !error) {
      diagnostics_.Error(wanted.position, "no pipeline in this folder, expected *.yaml or *.yml");
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  void Pipeline(const std::string& path, const Position& wanted_at, Config& config) {
    const std::optional<std::string> bytes = Bytes(path, wanted_at);
    if (!bytes) return;
    std::optional<PipelineFile> pipeline =
        ReadPipeline(*bytes, path, options_.environment, options_.limits, diagnostics_);
    if (!pipeline) return;
    const Node* name = pipeline->root.Find("name");
    const Position position = name != nullptr ? name->position : Position{path, 0, 0};
    const auto [first, fresh] = names_.emplace(pipeline->name, position);
    if (!fresh && !pipeline->name.empty()) {
      const Position& other = first->second;
      diagnostics_.Error(position, "two pipelines are named `" + pipeline->name + "`",
                         "the other is in " + other.file +
                             (other.line > 0 ? ":" + std::to_string(other.line) : std::string()));
      return;
    }
    config.pipelines.push_back(std::move(*pipeline));
  }

  const LoadOptions& options_;
  Diagnostics& diagnostics_;
  Node device_;
  std::string device_path_;
  std::map<std::string, Position> names_;
};

// The name of a pipeline; empty after an error.
std::string NameOf(const Node& root, const std::string& path, Diagnostics& diagnostics) {
  constexpr std::string_view kHint =
      "up to 63 of a-z, 0-9 and `-`, beginning with a letter or digit";
  const Node* given = root.Find("name");
  if (given == nullptr) {
    std::string stem = fs::path(path).stem().string();
    if (IsPipelineName(stem)) return stem;
    diagnostics.Error({path, 0, 0}, "`" + stem + "` is not a name for a pipeline",
                      "rename the file or give a `name:`: " + std::string(kHint));
    return {};
  }
  if (given->IsScalar() && IsPipelineName(given->text)) return given->text;
  const std::string found =
      given->IsScalar() ? "`" + given->text + "`" : std::string(given->KindName());
  diagnostics.Error(given->position, "`name` is not a name for a pipeline, found " + found,
                    std::string(kHint));
  return {};
}

}  // namespace

bool IsPipelineName(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= 63 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), good);
}

std::optional<PipelineFile> ReadPipeline(std::string_view text, const std::string& path,
                                         const Environment& environment, const YamlLimits& limits,
                                         Diagnostics& diagnostics) {
  std::optional<Node> root = ParseYaml(text, path, limits, diagnostics);
  if (!root || !Substitute(*root, environment, Credentials::kRefused, diagnostics)) {
    return std::nullopt;
  }
  static_cast<void>(ResolveTimeZones(*root, kZoneFolder, diagnostics));
  ResolveExpressionZones(*root, kZoneFolder);
  static_cast<void>(ResolveLookupFiles(*root, fs::path(path).parent_path().string(), diagnostics));
  if (!root->IsMap()) {
    diagnostics.Error(root->position,
                      "a pipeline is a map of options, found " + std::string(root->KindName()));
    return std::nullopt;
  }
  std::string name = NameOf(*root, path, diagnostics);
  return PipelineFile{path, std::move(name), std::move(*root)};
}

std::optional<DeviceConfig> LoadDeviceConfig(const LoadOptions& options, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.errors();
  Config config;
  Loading(options, diagnostics).Device(config);
  if (diagnostics.errors() != errors_before) return std::nullopt;
  return std::move(config.device);
}

Config ReadConfig(const LoadOptions& options, Diagnostics& diagnostics) {
  Config config;
  Loading loading(options, diagnostics);
  loading.Device(config);
  // A wrong runnel.yaml may name the wrong pipelines; those of the command line count.
  if (config.device_is_right || !options.pipelines.empty()) loading.Pipelines(config);
  return config;
}

std::optional<Config> LoadConfig(const LoadOptions& options, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.errors();
  Config config = ReadConfig(options, diagnostics);
  if (diagnostics.errors() != errors_before) return std::nullopt;
  return config;
}

}  // namespace runnel
