// Mosquitto: a real broker of this test's own, on a free loopback port.
//
// Starts and restarts with a generated configuration in a folder of its own, which goes
// with it. Ready means that it accepted a connection. Ends with its owner, or with the
// test program (parent-death signal).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace runnel::testing {

class Mosquitto final {
 public:
  struct Options {
    std::string config;  // more lines of mosquitto.conf; `@` stands for the folder
    // Lines of the listener, such as its certificates.
    std::string listener;
  };

  Mosquitto() : Mosquitto(Options()) {}
  explicit Mosquitto(Options options);
  ~Mosquitto();
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;

  // On the same port as before. CHECKs that it comes up within ten seconds.
  void Start();
  // kill -9: what it had not written to its store is lost.
  void Kill() { End(9); }
  // Reads and answers nothing from here on; what is sent to it waits in its socket.
  void Hang();
  // SIGTERM: it writes its store first.
  void Stop() { End(15); }
  void DeleteStore();

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  const std::string& folder() const { return folder_; }
  std::string log() const;

 private:
  void End(int signal);
  bool Spawn();
  bool WaitUntilReady();

  Options options_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

// A port that was free a moment ago.
std::uint16_t FreePort();

// An empty folder that goes with its owner.
class TemporaryFolder final {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace runnel::testing
