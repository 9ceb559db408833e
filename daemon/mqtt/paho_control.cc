#include "daemon/mqtt/paho_control.h"

#include <MQTTAsync.h>
#include <mqtt/async_client.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace runnel {

using SteadyTime = std::chrono::steady_clock::time_point;

struct PahoControl::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  std::multimap<SteadyTime, std::function<void()>> timers;
  bool stop = false;
  bool ended = false;
  std::thread thread;
};

// A client that never connects. When the last client of a process goes, Paho stops its
// threads, which takes up to a second, and forgets the trace level.
struct PahoControl::Anchor {
  mqtt::async_client client{"tcp://127.0.0.1:1", "anchor", mqtt::create_options(MQTTVERSION_5)};
};

PahoControl::PahoControl() : state_(std::make_shared<State>()) {
  try {
    anchor_ = std::make_unique<Anchor>();
  } catch (const std::exception&) {
    // Out of memory; the first client will say so.
  }
  MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  state_->thread = std::thread([state = state_] { Run(state); });
}

PahoControl::~PahoControl() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
  const bool ended =
      state_->changed.wait_for(lock, std::chrono::seconds(2), [&] { return state_->ended; });
  lock.unlock();
  if (ended) {
    state_->thread.join();
  } else {
    state_->thread.detach();
    static_cast<void>(anchor_.release());
  }
}

void PahoControl::Post(std::function<void()> task) {
  const std::lock_guard lock(state_->mutex);
  state_->tasks.push_back(std::move(task));
  state_->changed.notify_all();
}

void PahoControl::PostAfter(std::chrono::milliseconds delay, std::function<void()> task) {
  const std::lock_guard lock(state_->mutex);
  state_->timers.emplace(std::chrono::steady_clock::now() + delay, std::move(task));
  state_->changed.notify_all();
}

void PahoControl::Run(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->stop) {
    const auto timer = state->timers.begin();
    if (timer != state->timers.end() && timer->first <= std::chrono::steady_clock::now()) {
      state->tasks.push_back(std::move(timer->second));
      state->timers.erase(timer);
      continue;
    }
    if (state->tasks.empty()) {
      if (timer == state->timers.end()) {
        state->changed.wait(lock);
      } else {
        const SteadyTime until = timer->first;
        state->changed.wait_until(lock, until);
      }
      continue;
    }
    std::function<void()> task = std::move(state->tasks.front());
    state->tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds on to ends without the lock
    lock.lock();
  }
  state->ended = true;
  state->changed.notify_all();
  // Tasks that never ran may own clients, whose ends take time.
  std::deque<std::function<void()>> tasks = std::move(state->tasks);
  std::multimap<SteadyTime, std::function<void()>> timers = std::move(state->timers);
  lock.unlock();
}

}  // namespace runnel
