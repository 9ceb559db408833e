// bench/mqtt, the floor: a bare receiver with Paho C++ that counts and does nothing else.
//
//   bench_receiver PORT QOS MESSAGES [CLIENT_ID]
//
// The options of the daemon: MQTT 5, a persistent session, Receive Maximum 100, trace
// level ERROR, the message callback. The main thread sleeps until the last message (0:
// until it is killed) and prints `ready` and `done`.
#include <MQTTAsync.h>
#include <mqtt/async_client.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: bench_receiver PORT QOS MESSAGES [CLIENT_ID]\n", stderr);
    return 2;
  }
  const int qos = std::atoi(argv[2]);
  const auto wanted = static_cast<std::uint64_t>(std::atoll(argv[3]));
  MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  const std::string uri = std::string("tcp://127.0.0.1:") + argv[1];
  mqtt::create_options create(MQTTVERSION_5);
  mqtt::async_client client(uri, argc > 4 ? argv[4] : "bench-receiver", create, nullptr);
  std::mutex mutex;
  std::condition_variable done;
  std::uint64_t received = 0;  // the receive thread's; looked at under the mutex at the end
  std::uint64_t bytes = 0;
  bool finished = false;
  client.set_message_callback([&](const mqtt::const_message_ptr& message) {
    bytes += message->get_payload_ref().size();
    if (++received != wanted) return;
    const std::lock_guard lock(mutex);
    finished = true;
    done.notify_one();
  });
  mqtt::connect_options connect;
  connect.set_mqtt_version(MQTTVERSION_5);
  connect.set_clean_start(false);
  connect.set_keep_alive_interval(60);
  mqtt::properties properties;
  properties.add({mqtt::property::SESSION_EXPIRY_INTERVAL, 3600});
  properties.add({mqtt::property::RECEIVE_MAXIMUM, 100});
  connect.set_properties(properties);
  client.connect(connect)->wait();
  client.subscribe("sensors/+/climate", qos)->wait();
  std::puts("ready");
  std::fflush(stdout);
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return finished; });
  std::printf("done %llu %llu\n", static_cast<unsigned long long>(received),
              static_cast<unsigned long long>(bytes));
  std::fflush(stdout);
  done.wait(lock, [] { return false; });  // the driver reads our CPU time, then kills us
}
