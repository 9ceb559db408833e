// Runs the tests, or, as `process_mqtt_test --subscriber …`, the child of one.
#include <gtest/gtest.h>

#include <string_view>

#include "tests/process/mqtt/subscriber.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--subscriber") {
    return runnel::RunSubscriber(argc - 2, argv + 2);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
