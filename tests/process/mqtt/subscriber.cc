#include "tests/process/mqtt/subscriber.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>

#include "tests/support/mqtt_harness.h"

namespace runnel {

int RunSubscriber(int argc, char** argv) {
  if (argc != 7) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int fd = open(argv[6], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const bool v5 = std::string_view(argv[2]) == "5";
  MqttOptions options =
      testing::TestOptions(argv[0], argv[1], v5 ? MqttVersion::k5 : MqttVersion::k311);
  options.inbound_store = argv[4];
  if (argv[5][0] != '\0') options.status = MqttStatusTopic{argv[5]};
  PahoControl control;
  MqttHandlers handlers;
  handlers.on_message = [fd](const MqttMessage& message) {
    const std::string line = std::to_string(message.packet_id) + (message.dup ? " 1 " : " 0 ") +
                             std::string(message.payload) + "\n";
    if (write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
    return MessageOutcome::kTaken;
  };
  auto client = MqttClient::Create(control, options, std::move(handlers));
  if (!client.ok()) return 4;
  client.value()->SetSubscriptions({testing::Subscription("k/#", std::stoi(argv[3]))});
  client.value()->Start();
  for (;;) pause();
}

}  // namespace runnel
