// A kill -9 of a run at each of its system calls: `--resume` brings the same bytes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "daemon/batch/batch_run.h"
#include "daemon/posix/files.h"
#include "tests/support/kill_at_every_step.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr char kGroups[] = R"(
timestamp: ts
steps:
  - window: { tumbling: 1m, key: device, aggregate: { n: count(), p: quantile(value, 0.9) } }
)";
constexpr char kPartitions[] = R"(
timestamp: ts
steps:
  - window: { tumbling: 1m, key: device, aggregate: { s: sum(value), f: first(value) } }
)";
constexpr char kRows[] = R"(
steps:
  - filter: value > 5
)";

class BatchKill : public ::testing::TestWithParam<const char*> {
 protected:
  BatchKill() {
    char pattern[] = "/tmp/runnel-batch-kill-XXXXXX";
    folder_ = mkdtemp(pattern);
    fs::create_directory(folder_ + "/run");
    std::string rows = "ts,device,value\n";
    for (int i = 0; i < 3000; ++i) {
      const std::string value = i % 100 == 7 ? "bad" : std::to_string(i % 50);
      rows += std::to_string(1'700'000'040'000 + i * 1000) + ",d" + std::to_string(i % 7) + "," +
              value + "\n";
    }
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/in.csv", rows).ok());
  }
  ~BatchKill() override { fs::remove_all(folder_); }

  static BatchOptions Options(bool resume) {
    BatchOptions options;
    options.pipeline = "../p.yaml";
    options.inputs = {"../in.csv"};
    options.output = "out.csv";
    options.workers = 1;
    options.chunk_bytes = 1024;
    options.resume = resume;
    options.worker_executable = RUNNEL_WORKER;
    return options;
  }
  // In this process, which it changes: signals, folder, what is printed.
  [[noreturn]] void RunIn(const std::string& where, bool resume) const {
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    if (chdir((folder_ + where).c_str()) != 0) _exit(99);
    _exit(RunBatch(Options(resume)));
  }
  int RunToItsEnd(const std::string& where) const {
    const pid_t pid = fork();
    if (pid == 0) RunIn(where, true);
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
  std::string Read(const std::string& name) const {
    return ReadFile(folder_ + name, 1 << 20).value();
  }

  std::string folder_;
};

TEST_P(BatchKill, ResumesToTheSameBytes) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/p.yaml", GetParam()).ok());
  fs::create_directory(folder_ + "/whole");
  ASSERT_EQ(RunToItsEnd("/whole"), 0);
  const std::string output = Read("/whole/out.csv");
  const std::string rejects = Read("/whole/out.csv.rejects.csv");
  int manifests = 0;
  const auto look = [&](const std::string& where) {
    fs::copy(folder_ + where, folder_ + "/copy");
    if (fs::exists(folder_ + "/copy/out.csv.runnel-manifest") && ++manifests == 10) {
      fs::copy(folder_ + "/copy", folder_ + "/half");
    }
    ASSERT_EQ(RunToItsEnd("/copy"), 0);
    ASSERT_EQ(Read("/copy/out.csv"), output);
    ASSERT_EQ(Read("/copy/out.csv.rejects.csv"), rejects);
    const auto left = fs::directory_iterator(folder_ + "/copy");
    ASSERT_EQ(std::distance(begin(left), end(left)), 2);
    fs::remove_all(folder_ + "/copy");
  };
  testing::KillAtEveryCall([&] { RunIn("/run", true); }, folder_ + "/run", [&] { look("/run"); });
  ASSERT_GT(manifests, 15);
  // One that begins anew over what a killed one has left, and is killed too.
  testing::KillAtEveryCall([&] { RunIn("/half", false); }, folder_ + "/half",
                           [&] { look("/half"); });
}

INSTANTIATE_TEST_SUITE_P(Ways, BatchKill, ::testing::Values(kGroups, kPartitions, kRows));

}  // namespace
}  // namespace runnel
