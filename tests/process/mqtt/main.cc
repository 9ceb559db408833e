// Runs the tests, or, as `process_mqtt_test --subscriber …`, the child of one.
#include <gtest/gtest.h>

#include <string_view>

#include "tests/process/mqtt/subscriber.h"

// Paho loses topic and payload of each publication that it has not begun to send when its
// client ends (MQTTAsync_NULLPublishCommands, 1.3.12).
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpaho-mqtt3as\n"; }

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--subscriber") {
    return runnel::RunSubscriber(argc - 2, argv + 2);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
