// bench/mqtt, the publisher: readings of 100 bytes over many topics, at a given rate.
//
//   bench_publisher PORT QOS MESSAGES RATE [TOPICS]
//
// MQTT 3.1.1 on a plain socket, so that publishing costs as little as possible. QoS 1
// with at most 500 messages in flight. RATE in messages per second, 0: flat out. The
// device of message N is N modulo TOPICS (1,000). Prints seconds and messages.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kInFlightMax = 500;
constexpr std::size_t kBufferBytes = 16 * 1024;
constexpr std::size_t kPayloadBytes = 100;

[[noreturn]] void Stop(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Publisher final {
 public:
  Publisher(std::uint16_t port, int qos, std::uint64_t topics) : qos_(qos), topics_(topics) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      Stop("connect");
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string id = "bench-publisher-" + std::to_string(getpid());
    std::string body("\0\4MQTT\4\2\0\0", 10);
    body += Sized(id);
    Put(0x10, body);
    Flush();
    char answer[4];
    if (recv(socket_, answer, sizeof answer, MSG_WAITALL) != 4 || answer[3] != 0) Stop("CONNACK");
  }

  void Publish(std::uint64_t number, std::int64_t milliseconds) {
    while (qos_ == 1 && number - acknowledged_ >= kInFlightMax) {
      Flush();
      TakeAnswers(-1);
    }
    char payload[kPayloadBytes + 1];
    int size = std::snprintf(
        payload, sizeof payload,
        R"({"ts":%lld,"temp":%d.%02d,"humidity":%d.%d,"battery":%d,"seq":%llu,"site":"hall-7")",
        static_cast<long long>(milliseconds), static_cast<int>(15 + number % 20),
        static_cast<int>(number * 7 % 100), static_cast<int>(30 + number % 40),
        static_cast<int>(number % 10), static_cast<int>(50 + number % 50),
        static_cast<unsigned long long>(number));
    while (size < static_cast<int>(kPayloadBytes) - 1) payload[size++] = ' ';
    payload[size++] = '}';
    body_ = Sized("sensors/dev-" + std::to_string(10'000 + number % topics_) + "/climate");
    if (qos_ == 1) {
      const std::uint64_t id = number % 65'535 + 1;
      body_ += static_cast<char>(id >> 8);
      body_ += static_cast<char>(id & 0xff);
    }
    body_.append(payload, static_cast<std::size_t>(size));
    Put(static_cast<unsigned char>(0x30 | qos_ << 1), body_);
    if (buffer_.size() >= kBufferBytes) {
      Flush();
      TakeAnswers(0);
    }
  }

  void Finish(std::uint64_t messages) {
    Flush();
    while (qos_ == 1 && acknowledged_ < messages) TakeAnswers(-1);
    Put(0xe0, "");
    Flush();
    shutdown(socket_, SHUT_WR);
    char rest[64];
    while (recv(socket_, rest, sizeof rest, 0) > 0) {
    }
    close(socket_);
  }

  void Flush() {
    for (std::size_t sent = 0; sent < buffer_.size();) {
      const ssize_t wrote =
          send(socket_, buffer_.data() + sent, buffer_.size() - sent, MSG_NOSIGNAL);
      if (wrote < 0 && errno != EINTR) Stop("send");
      sent += static_cast<std::size_t>(std::max<ssize_t>(wrote, 0));
    }
    buffer_.clear();
  }
  // PUBACKs have four bytes each; a part of one is kept by count.
  void TakeAnswers(int milliseconds) {
    if (qos_ == 0) return;
    pollfd source{socket_, POLLIN, 0};
    if (poll(&source, 1, milliseconds) <= 0) return;
    char answers[4 * kInFlightMax];
    const ssize_t got = recv(socket_, answers, sizeof answers, 0);
    if (got <= 0) Stop("recv");
    answer_bytes_ += static_cast<std::uint64_t>(got);
    acknowledged_ = answer_bytes_ / 4;
  }

 private:
  static std::string Sized(const std::string& text) {
    std::string result;
    result += static_cast<char>(text.size() >> 8);
    result += static_cast<char>(text.size() & 0xff);
    return result + text;
  }
  void Put(unsigned char kind, const std::string& body) {
    buffer_ += static_cast<char>(kind);
    for (std::size_t size = body.size(), more = 1; more != 0; size = more) {
      more = size / 128;
      buffer_ += static_cast<char>(size % 128 + (more != 0 ? 128 : 0));
    }
    buffer_ += body;
  }

  int socket_ = -1;
  int qos_;
  std::uint64_t topics_;
  std::string buffer_;
  std::string body_;
  std::uint64_t answer_bytes_ = 0;
  std::uint64_t acknowledged_ = 0;
};

std::int64_t NowMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fputs("usage: bench_publisher PORT QOS MESSAGES RATE [TOPICS]\n", stderr);
    return 2;
  }
  const auto messages = static_cast<std::uint64_t>(std::atoll(argv[3]));
  const double rate = std::atof(argv[4]);
  Publisher publisher(static_cast<std::uint16_t>(std::atoi(argv[1])), std::atoi(argv[2]),
                      argc > 5 ? static_cast<std::uint64_t>(std::atoll(argv[5])) : 1'000);
  const Clock::time_point start = Clock::now();
  std::int64_t now = NowMilliseconds();
  for (std::uint64_t number = 0; number < messages; ++number) {
    if (rate > 0) {
      // Each message leaves at its own time: sensors do not send in bursts.
      const auto due = start + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                   static_cast<double>(number) * 1e9 / rate));
      std::this_thread::sleep_until(due);
      now = NowMilliseconds();
    } else if (number % 256 == 0) {
      now = NowMilliseconds();
    }
    publisher.Publish(number, now);
    if (rate > 0) {
      publisher.Flush();
      publisher.TakeAnswers(0);
    }
  }
  publisher.Finish(messages);
  const std::chrono::duration<double> spent = Clock::now() - start;
  std::printf("%.3f %llu\n", spent.count(), static_cast<unsigned long long>(messages));
  return 0;
}
