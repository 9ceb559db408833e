#include "config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace runnel {
namespace {

namespace fs = std::filesystem;

class LoadConfigTest : public testing::Test {
 protected:
  LoadConfigTest() {
    std::string pattern = (fs::temp_directory_path() / "runnel-config-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    options_.device_file_default = folder_ + "/none.yaml";
  }
  ~LoadConfigTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }
  // The messages, with the folder cut out.
  std::string Load() {
    Diagnostics diagnostics;
    config_ = LoadConfig(options_, diagnostics);
    EXPECT_EQ(config_.has_value(), !diagnostics.has_errors());
    std::string text = diagnostics.Format();
    for (std::size_t at = 0; (at = text.find(folder_ + "/", at)) != std::string::npos;) {
      text.erase(at, folder_.size() + 1);
    }
    return text;
  }
  std::string Names() const {
    std::string names;
    for (const PipelineFile& file : config_->pipelines) names += file.name + " ";
    return names;
  }

  std::string folder_;
  LoadOptions options_;
  std::optional<Config> config_;
};

TEST_F(LoadConfigTest, WorksWithoutAFile) {
  options_.pipelines = {Write("a.yaml", "sink: x\n")};
  ASSERT_EQ(Load(), "");
  ASSERT_EQ(config_->device.brokers.size(), 1u);
  EXPECT_EQ(config_->device.brokers[0].first, "local");
  EXPECT_EQ(config_->device.brokers[0].second.address.ForPaho(), "tcp://127.0.0.1:1883");
  EXPECT_EQ(config_->device.FindBroker(""), &config_->device.brokers[0].second);
  EXPECT_EQ(config_->device.FindBroker("nope"), nullptr);
  EXPECT_EQ(config_->device.workers, DeviceConfig::kWorkersAuto);
  EXPECT_EQ(config_->device.limits.journal.bytes, 262'144);
  EXPECT_EQ(Names(), "a ");
}

TEST_F(LoadConfigTest, ReadsFoldersByNameWithoutOtherFiles) {
  Write("p/b.yml", "x: 1\n");
  Write("p/a.yaml", "name: zebra\n");
  Write("p/.hidden.yaml", "[");
  Write("p/c.yaml.bak", "[");
  Write("p/d.yaml/e.yaml", "[");
  options_.device_file = Write("runnel.yaml", "pipelines: p\n");
  ASSERT_EQ(Load(), "");
  EXPECT_EQ(Names(), "zebra b ");
}

TEST_F(LoadConfigTest, ReadsAListAndTheCommandLineWins) {
  Write("p/a.yaml", "x: 1\n");
  const std::string other = Write("other.yaml", "x: 1\n");
  options_.device_file = Write("runnel.yaml", "pipelines: [p/a.yaml, " + other + "]\n");
  ASSERT_EQ(Load(), "");
  EXPECT_EQ(Names(), "a other ");
  options_.pipelines = {other};
  ASSERT_EQ(Load(), "");
  EXPECT_EQ(Names(), "other ");
}

TEST_F(LoadConfigTest, TakesTheDefaultFileWhereThereIsOne) {
  options_.device_file_default = Write("default.yaml", "workers: 3\n");
  ASSERT_EQ(Load(), "");
  EXPECT_EQ(config_->device.workers, 3);
}

TEST_F(LoadConfigTest, NamesBothOfTwoPipelinesWithOneName) {
  Write("p/a.yaml", "name: same\n");
  Write("p/b.yaml", "x: 1\nname: same\n");
  Write("p/same.yaml", "x: 1\n");
  options_.pipelines = {folder_ + "/p"};
  EXPECT_EQ(Load(),
            "p/b.yaml:2:7: error: two pipelines are named `same`\n"
            "    2 | name: same\n"
            "      |       ^\n"
            "  hint: the other is in p/a.yaml:1\n"
            "p/same.yaml: error: two pipelines are named `same`\n"
            "  hint: the other is in p/a.yaml:1\n");
}

TEST_F(LoadConfigTest, SaysWhichFileCannotBeRead) {
  options_.device_file = folder_ + "/nope.yaml";
  EXPECT_EQ(Load(), "nope.yaml: error: cannot read the file: no such file or directory\n");
  options_.device_file = folder_;
  EXPECT_EQ(Load(), folder_ + ": error: cannot read the file: is a directory\n");
  options_.device_file = Write("runnel.yaml", "pipelines:\n  - a.yaml\n  - b.yaml\n");
  Write("b.yaml", "x: 1\n");
  EXPECT_EQ(Load(),
            "runnel.yaml:2:5: error: cannot read `a.yaml`: no such file or directory\n"
            "    2 |   - a.yaml\n"
            "      |     ^\n");
}

TEST_F(LoadConfigTest, RefusesAFileThatIsTooLargeAndAFolderWithoutPipelines) {
  options_.limits.bytes_max = 10;
  const std::string small = Write("a.yaml", "x: 1234567");
  options_.pipelines = {small};
  EXPECT_EQ(Load(), "");
  options_.pipelines = {Write("b.yaml", "x: 12345678")};
  EXPECT_EQ(Load(), "b.yaml: error: cannot read the file: larger than 10 bytes\n");
  fs::create_directory(folder_ + "/empty");
  options_.pipelines = {folder_ + "/empty"};
  EXPECT_EQ(Load(), "empty: error: no pipeline in this folder, expected *.yaml or *.yml\n");
}

// Reading one of these might never end.
TEST_F(LoadConfigTest, TablesOfEnrichAreFilesNotDevicesOrPipes) {
  ASSERT_EQ(mkfifo((folder_ + "/pipe.csv").c_str(), 0600), 0);
  fs::create_directory(folder_ + "/folder.csv");
  const auto said = [&](const std::string& path) {
    options_.pipelines = {Write("p.yaml", "steps:\n  - enrich: { file: " + path + " }\n")};
    const std::string text = Load();
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(said("pipe.csv"), "p.yaml:2:21: error: cannot read `pipe.csv`: not a file");
  EXPECT_EQ(said("/dev/zero"), "p.yaml:2:21: error: cannot read `/dev/zero`: not a file");
  EXPECT_EQ(said("folder.csv"), "p.yaml:2:21: error: cannot read `folder.csv`: is a directory");
  EXPECT_EQ(said("nope.csv"),
            "p.yaml:2:21: error: cannot read `nope.csv`: no such file or directory");
  Write("table.csv", "a,b\n1,2\n");
  EXPECT_EQ(said("table.csv"), "");
}

TEST_F(LoadConfigTest, ReportsTheMistakesOfAllFilesAtOnce) {
  options_.device_file = Write("runnel.yaml", "worker: 1\n");
  options_.pipelines = {Write("A.yaml", "x: 1\n"), Write("b.yaml", "a: ${NOPE}\n")};
  EXPECT_EQ(Load(),
            "A.yaml: error: `A` is not a name for a pipeline\n"
            "  hint: rename the file or give a `name:`: up to 63 of a-z, 0-9 and `-`, beginning "
            "with a letter or digit\n"
            "b.yaml:1:4: error: `NOPE` is not set in the environment\n"
            "    1 | a: ${NOPE}\n"
            "      |    ^\n"
            "  hint: `${NOPE:-default}` gives a default\n"
            "runnel.yaml:1:1: error: unknown option `worker` of `runnel.yaml`\n"
            "    1 | worker: 1\n"
            "      | ^\n"
            "  hint: did you mean `workers`?\n");
}

TEST_F(LoadConfigTest, ReadsCredentialsFromTheFolderOfSystemd) {
  Write("creds/upstream", "hunter2\n");
  Write("creds/large", std::string(64 * 1024 + 1, 'x'));
  const std::string folder = folder_ + "/creds";
  const Environment environment =
      SystemdEnvironment([folder](const std::string& name) -> std::optional<std::string> {
        if (name == "CREDENTIALS_DIRECTORY") return folder;
        return std::nullopt;
      });
  ASSERT_TRUE(environment.credential("upstream").ok());
  EXPECT_EQ(environment.credential("upstream").value(), "hunter2");
  EXPECT_EQ(environment.credential("nope").error().message, "no such file or directory");
  EXPECT_EQ(environment.credential("large").error().message, "larger than 65536 bytes");
  const Environment none =
      SystemdEnvironment([](const std::string&) { return std::optional<std::string>(); });
  EXPECT_EQ(none.credential("x").error().message, "CREDENTIALS_DIRECTORY is not set");
}

TEST(Substitute, PutsValuesInAndMarksThem) {
  Diagnostics diagnostics;
  Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "x: [1]\n${B}";
    if (name == "BIG") return std::string(600'000, 'x');
    return std::nullopt;
  };
  environment.credential = [](const std::string&) -> Result<std::string> {
    return std::string("secret");
  };
  const auto substitute = [&](const char* text) {
    Node node = Node::Scalar(text, false, {});
    Substitute(node, environment, Credentials::kAllowed, diagnostics);
    return node;
  };
  EXPECT_EQ(substitute("<${A}>").text, "<x: [1]\n${B}>");
  EXPECT_EQ(substitute("<${A}>").origin, Node::Origin::kEnvironment);
  EXPECT_EQ(substitute("${cred:c}${A}").origin, Node::Origin::kCredential);
  EXPECT_EQ(substitute("a$$b$c$").text, "a$b$c$");
  EXPECT_EQ(substitute("$${A}").text, "${A}");
  EXPECT_EQ(substitute("${N:-d:-e}").text, "d:-e");
  EXPECT_EQ(substitute("a$").origin, Node::Origin::kSource);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.Format();
  substitute("${BIG}${BIG}");
  EXPECT_EQ(diagnostics.Format(), "error: the environment puts more than 1048576 bytes in\n");
}

TEST(BrokerUrl, ReadsHostPortAndPath) {
  const std::pair<const char*, const char*> cases[] = {
      {"mqtt://h", "tcp://h:1883"},
      {"mqtts://h", "ssl://h:8883"},
      {"ws://h", "ws://h:80"},
      {"wss://h/mqtt", "wss://h:443/mqtt"},
      {"tcp://h:1", "tcp://h:1"},
      {"ssl://h:65535", "ssl://h:65535"},
      {"mqtt://[::1]", "tcp://[::1]:1883"},
      {"mqtt://[fe80::1]:99", "tcp://[fe80::1]:99"},
      {"mqtt://10.0.0.1/", "tcp://10.0.0.1:1883"},
  };
  for (const auto& [text, expected] : cases) {
    BrokerUrl url;
    BrokerUrlProblem problem;
    EXPECT_TRUE(ParseBrokerUrl(text, url, problem)) << text << " " << problem.message;
    EXPECT_EQ(url.ForPaho(), expected);
  }
}

TEST(DeviceConfig, HasADefaultForEveryOptionButTheUrl) {
  for (const OptionDoc& option : Describe<DeviceConfig>()) {
    EXPECT_FALSE(option.required) << option.name;
    EXPECT_FALSE(option.description.empty()) << option.name;
    for (const OptionDoc& inner : option.nested) {
      EXPECT_EQ(inner.required, inner.name == "url") << inner.name;
    }
  }
}

}  // namespace
}  // namespace runnel
