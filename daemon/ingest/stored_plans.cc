#include "daemon/ingest/stored_plans.h"

#include <charconv>
#include <filesystem>
#include <vector>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPlanBytesMax = 64 << 20;
constexpr int kHex = 16;

std::string FolderOf(const std::string& base, const std::string& pipeline) {
  return base + "/plans/" + pipeline;
}

std::string NameOf(std::uint64_t fingerprint) {
  char digits[kHex];
  const char* const end = std::to_chars(digits, digits + sizeof digits, fingerprint, kHex).ptr;
  return std::string(static_cast<const char*>(digits), end);
}

}  // namespace

Status StorePlan(const std::string& base, const std::string& pipeline, std::uint64_t fingerprint,
                 std::string_view encoded) {
  return WriteFileIfOther(FolderOf(base, pipeline), NameOf(fingerprint), encoded);
}

Result<std::string> ReadStoredPlan(const std::string& base, const std::string& pipeline,
                                   std::uint64_t fingerprint) {
  return ReadFile(FolderOf(base, pipeline) + "/" + NameOf(fingerprint), kPlanBytesMax);
}

Status CopyStoredPlans(const std::string& from, const std::string& base) {
  Status all;
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(from + "/plans", error)) {
    for (const auto& plan : fs::directory_iterator(pipeline.path(), error)) {
      Result<std::string> bytes = ReadFile(plan.path(), kPlanBytesMax);
      Status copied = bytes.ok() ? WriteFileIfOther(FolderOf(base, pipeline.path().filename()),
                                                    plan.path().filename(), bytes.value())
                                 : bytes.error();
      if (all.ok()) all = std::move(copied);
    }
  }
  return all;
}

void ForgetPlans(const std::string& base,
                 const std::function<bool(const std::string&, std::uint64_t)>& wanted) {
  std::vector<fs::path> unwanted;
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(base + "/plans", error)) {
    for (const auto& plan : fs::directory_iterator(pipeline.path(), error)) {
      const std::string name = plan.path().filename();
      std::uint64_t fingerprint = 0;
      const auto [end, problem] =
          std::from_chars(name.data(), name.data() + name.size(), fingerprint, kHex);
      const bool is_plan = problem == std::errc() && end == name.data() + name.size();
      if (!is_plan || !wanted(pipeline.path().filename(), fingerprint)) {
        unwanted.push_back(plan.path());
      }
    }
    unwanted.push_back(pipeline.path());  // goes only where it is empty by then
  }
  for (const fs::path& path : unwanted) fs::remove(path, error);
}

}  // namespace runnel
