#include "tests/support/mosquitto.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "pipelines/base/check.h"

namespace runnel::testing {
namespace {

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool Accepts(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

std::string Replace(std::string text, const std::string& folder) {
  for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos; at += folder.size()) {
    text.replace(at, 1, folder);
  }
  return text;
}

}  // namespace

std::uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

TemporaryFolder::TemporaryFolder() {
  path_ = std::filesystem::temp_directory_path() / "runnel-test-XXXXXX";
  CHECK(mkdtemp(path_.data()) != nullptr);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Mosquitto::Mosquitto(Options options) : options_(std::move(options)) {
  folder_ = std::filesystem::temp_directory_path() / "runnel-broker-XXXXXX";
  CHECK(mkdtemp(folder_.data()) != nullptr);
  // Somebody else may take the port between finding and using it.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = FreePort();
    if (Spawn() && WaitUntilReady()) return;
    End(SIGKILL);
  }
  CHECK(false && "mosquitto did not start");
}

Mosquitto::~Mosquitto() {
  End(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Mosquitto::Start() {
  CHECK(!running());
  CHECK(Spawn() && WaitUntilReady());
}

bool Mosquitto::Spawn() {
  const std::string config = folder_ + "/mosquitto.conf";
  const bool has_access = options_.config.find("allow_anonymous") != std::string::npos;
  std::ofstream(config) << "listener " << port_ << " 127.0.0.1\n"
                        << Replace(options_.listener, folder_)
                        << (has_access ? "" : "\nallow_anonymous true")
                        << "\npersistence true\npersistence_location " << folder_
                        << "/\nmax_queued_messages 100000\nlog_dest file " << folder_
                        << "/log\nlog_type all\n"
                        << (geteuid() == 0 ? "user root\n" : "")
                        << Replace(options_.config, folder_) << "\n";
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nowhere = open("/dev/null", O_WRONLY);  // all of it is in the log
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execlp("mosquitto", "mosquitto", "-c", config.c_str(), static_cast<char*>(nullptr));
    execl("/usr/sbin/mosquitto", "mosquitto", "-c", config.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  return pid_ > 0;
}

bool Mosquitto::WaitUntilReady() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    if (Accepts(port_)) return true;
    poll(nullptr, 0, 5);
  }
  return false;
}

void Mosquitto::Hang() {
  CHECK(running());
  kill(pid_, SIGSTOP);
  CHECK(waitpid(pid_, nullptr, WUNTRACED) == pid_);
}

void Mosquitto::End(int signal) {
  if (pid_ <= 0) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Mosquitto::DeleteStore() {
  CHECK(!running());
  std::filesystem::remove(folder_ + "/mosquitto.db");
}

std::string Mosquitto::log() const {
  std::ifstream file(folder_ + "/log");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace runnel::testing
