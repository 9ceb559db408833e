// bench/pipeline: what do daemon and worker cost for each message, without a network?
//
//   bench_pipeline [messages in millions] [runs] [devices]
//
// The daemon's side (topic matching, choice of the task, copy into its journal, bell)
// runs on this thread, the worker's (decode, filter, keyed window with p95 over 10,000
// devices, unless told) in a child process, both by the code of the daemon; a thread settles what
// comes out. CPU time of the thread and of the child, the median of the runs, next to
// copying and adding up the same bytes. Between blocks of messages the daemon's side waits,
// not measured, until the journals are half empty: a full one is another question.
#include <signal.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/dispatcher.h"
#include "daemon/journal/out_reader.h"
#include "daemon/posix/clock.h"
#include "daemon/posix/files.h"
#include "daemon/service/switchboard.h"
#include "daemon/workers/assignment.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

constexpr char kPipeline[] = R"(
source:
  mqtt: { topic: "sensors/{device}/climate", qos: 1 }
decode: json
timestamp: ts
steps:
  - filter: temp > -40 && temp < 85
  - window:
      tumbling: 10s
      key: device
      aggregate: { n: count(), low: min(temp), high: max(temp), mean: mean(temp), p95: quantile(temp, 0.95) }
sink:
  mqtt: { topic: "site/a/climate/{device}", qos: 1 }
)";
constexpr std::size_t kMessages = 20'000;         // different ones; then again with later times
constexpr std::size_t kBlock = 1'000;             // messages between two looks at the clock
constexpr std::uint64_t kMicrosecondsApart = 10;  // event time from message to message

[[noreturn]] void Stop(const std::string& what) {
  std::fprintf(stderr, "bench/pipeline: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T Need(Result<T> result, const char* what) {
  if (!result.ok()) Stop(std::string(what) + ": " + result.error().message);
  return std::move(result).value();
}

void Need(const Status& status, const char* what) {
  if (!status.ok()) Stop(std::string(what) + ": " + status.error().message);
}

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Message {
  std::string topic;
  std::string payload;
};

constexpr std::size_t kTimeAt = 6;  // of the 13 digits behind {"ts":

std::vector<Message> MakeMessages(std::size_t devices) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < kMessages; ++i) {
    const std::size_t device = i * 7'919 % devices;
    char text[160];
    std::snprintf(
        text, sizeof text,
        R"({"ts":1700000000000,"temp":%zu.%02zu,"humidity":%zu.%zu,"battery":%zu,"seq":%zu})",
        15 + i % 20, i * 7 % 100, 30 + i % 40, i % 10, 50 + i % 50, 10'000 + i);
    messages.push_back({"sensors/dev-" + std::to_string(10'000 + device) + "/climate", text});
  }
  return messages;
}

void SetTime(Message& message, std::uint64_t milliseconds) {
  for (std::size_t digit = 13; digit-- > 0; milliseconds /= 10) {
    message.payload[kTimeAt + digit] = static_cast<char>('0' + milliseconds % 10);
  }
}

// Copies and adds up every message: the cheapest thing that looks at each byte.
double FloorNanoseconds(const std::vector<Message>& messages) {
  std::uint64_t total = 0;
  char copy[256];
  const double start = Seconds(CLOCK_THREAD_CPUTIME_ID);
  constexpr int kPasses = 50;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (const Message& message : messages) {
      std::memcpy(copy, message.topic.data(), message.topic.size());
      std::memcpy(copy + message.topic.size(), message.payload.data(), message.payload.size());
      const std::size_t size = message.topic.size() + message.payload.size();
      for (std::size_t i = 0; i < size; ++i) total += static_cast<unsigned char>(copy[i]);
      asm volatile("" : : "r"(copy) : "memory");
    }
  }
  volatile std::uint64_t keep = total;
  static_cast<void>(keep);
  return (Seconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e9 / kPasses /
         static_cast<double>(messages.size());
}

Time WallClock() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return TimeFromMicroseconds(now.tv_sec * 1'000'000 + now.tv_nsec / 1'000);
}

std::unique_ptr<TaskSet> OpenTasks(const std::string& folder) {
  Diagnostics diagnostics;
  std::optional<PipelineFile> file = ReadPipeline(kPipeline, "bench.yaml", {}, {}, diagnostics);
  if (!file.has_value()) Stop(diagnostics.Format());
  Registry registry;
  RegisterAll(registry);
  std::vector<RunningPipeline> pipelines(1);
  pipelines[0].plan = CompilePlan(file->root, "bench", registry, {}, diagnostics);
  if (pipelines[0].plan == nullptr) Stop(diagnostics.Format());
  pipelines[0].encoded = file->root.Encode();
  TaskSetOptions options;
  options.runtime = folder;
  options.state = folder + "/state";
  options.incarnation = 1;
  options.warn = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  return Need(TaskSet::Open(std::move(pipelines), options), "tasks");
}

// The worker: what runnel-worker does, without its channel and sandbox.
[[noreturn]] void RunWorker(TaskSet& tasks, Switchboard& board, int stop) {
  Assignment assignment;
  assignment.links = Need(board.LinksOfWorker(0), "links");
  assignment.links.stop = Fd(stop);
  for (const RunningTask& task : tasks.tasks()) {
    TaskSettings settings;
    settings.id = task.id;
    settings.appends = task.appends;
    settings.plan_fingerprint = tasks.pipelines()[0].plan->fingerprint();
    settings.plan = tasks.pipelines()[0].encoded;
    TaskDescriptors files;
    files.in = Need(OpenFile(task.folder + "/in", O_RDONLY), "in");
    files.work = Need(OpenFile(task.folder + "/work", O_RDWR), "work");
    files.settle = Need(OpenFile(task.folder + "/settle", O_RDONLY), "settle");
    assignment.tasks.push_back({std::move(settings), std::move(files)});
  }
  Registry registry;
  RegisterAll(registry);
  const auto report = [](const Error& error) { Stop(error.message); };
  Need(BuildHost(std::move(assignment), registry, report), "host")->Run(report);
  std::_Exit(0);
}

// The uplink's place: settles every output as soon as it is rung for.
class Settler final {
 public:
  Settler(TaskSet& tasks, Switchboard& board) : board_(&board) {
    auto links = Need(board.LinksOfUplink(), "uplink");
    page_ = Need(Mapping::Map(links.own_page.get(), 0, PageSize(), Access::kWrite), "page");
    for (const RunningTask& task : tasks.tasks()) {
      readers_.push_back(
          Need(OutReader::Open(task.files.work.get(), task.files.settle.get()), "outputs"));
    }
    thread_ = std::thread([this] { Run(); });
  }
  ~Settler() {
    stop_.store(true);
    board_->uplink_bell().Ring();
    thread_.join();
  }
  std::uint64_t results() const { return results_.load(); }

 private:
  void Run() {
    auto* word = reinterpret_cast<SleepWord*>(page_.data());
    while (!stop_.load()) {
      if (SettleAll()) continue;
      word->GoToSleep();
      const bool more = std::any_of(readers_.begin(), readers_.end(),
                                    [](auto& reader) { return reader->HasMore(); });
      std::array<pollfd, 2> bell = board_->uplink_bell().sources();
      if (!more) poll(bell.data(), bell.size(), 1'000);
      word->WakeUp();
      board_->uplink_bell().Clear();
    }
  }
  bool SettleAll() {
    bool any = false;
    for (auto& reader : readers_) {
      RecordView record;
      RingReader::Found found;
      while ((found = reader->Next(record)) == RingReader::Found::kRecord) {
        reader->Settle(record, OutReader::Settled::kPublished);
        results_.fetch_add(1, std::memory_order_relaxed);
        any = true;
      }
      if (found == RingReader::Found::kDamaged) Stop(reader->Damage().message);
      if (reader->WorkerWaits()) board_->worker_bell(0).Ring();
    }
    return any;
  }

  Switchboard* board_;
  Mapping page_;
  std::vector<std::unique_ptr<OutReader>> readers_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> results_{0};
  std::thread thread_;
};

struct Costs {
  double daemon = 0;  // CPU nanoseconds of a message
  double worker = 0;
  double elapsed = 0;  // wall-clock nanoseconds of a message
  std::uint64_t results = 0;
};

void WaitUntilDrained(TaskSet& tasks) {
  for (const RunningTask& task : tasks.tasks()) {
    while (!task.journal->Drained()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void WaitUntilHalfEmpty(TaskSet& tasks) {
  for (const RunningTask& task : tasks.tasks()) {
    const std::uint64_t half = task.files.in_header.ring_bytes / 2;
    while (task.journal->end() - task.journal->checkpoint().in_position > half) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
}

Costs Measure(TaskSet& tasks, Switchboard& board, clockid_t worker, std::vector<Message>& messages,
              std::uint64_t count) {
  Dispatcher::Options options;
  options.now = CoarseWallClock;
  options.room_bell = &board.room_bell();
  options.on_wait = [](std::size_t, bool) {};
  options.on_activity = [] {};
  Dispatcher dispatcher(tasks, {&board.worker_ringer(0)}, options);
  Need(dispatcher.AddPipeline(0), "route");
  Settler settler(tasks, board);
  WaitUntilDrained(tasks);
  Costs costs;
  double daemon = 0;
  const double worker_start = Seconds(worker);
  const double start = Seconds(CLOCK_MONOTONIC);
  IncomingMessage incoming;
  for (std::uint64_t sent = 0; sent < count; sent += kBlock) {
    Message* block = &messages[sent % kMessages];
    for (std::size_t i = 0; i < kBlock; ++i) {
      SetTime(block[i], 1'700'000'000'000 + (sent + i) * kMicrosecondsApart / 1'000);
    }
    WaitUntilHalfEmpty(tasks);
    const double begin = Seconds(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t i = 0; i < kBlock; ++i) {
      incoming.topic = block[i].topic;
      incoming.payload = block[i].payload;
      incoming.delivery.packet_id = static_cast<std::uint16_t>(1 + i);
      if (!dispatcher.Take(incoming)) Stop("a message was not taken");
    }
    daemon += Seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
  }
  WaitUntilDrained(tasks);
  const double per_message = 1e9 / static_cast<double>(count);
  costs.elapsed = (Seconds(CLOCK_MONOTONIC) - start) * per_message;
  costs.worker = (Seconds(worker) - worker_start) * per_message;
  costs.daemon = daemon * per_message;
  costs.results = settler.results();
  return costs;
}

Costs OneRun(const std::string& folder, std::vector<Message>& messages, std::uint64_t count) {
  std::unique_ptr<TaskSet> tasks = OpenTasks(folder);
  std::unique_ptr<Switchboard> board = Need(Switchboard::Create(1), "switchboard");
  tasks->CountAppends(board->append_counts());
  for (const RunningTask& task : tasks->tasks()) {
    const RunningPipeline& pipeline = tasks->pipelines()[0];
    task.journal->AppendPlan(pipeline.plan->fingerprint(), pipeline.encoded, WallClock());
  }
  int stop[2];
  if (pipe(stop) != 0) Stop("pipe");
  const pid_t child = fork();
  if (child == 0) {
    close(stop[1]);
    RunWorker(*tasks, *board, stop[0]);
  }
  close(stop[0]);
  clockid_t worker{};
  if (clock_getcpuclockid(child, &worker) != 0) Stop("the worker's clock");
  const Costs costs = Measure(*tasks, *board, worker, messages, count);
  close(stop[1]);
  int ended = 0;
  if (waitpid(child, &ended, 0) != child || ended != 0) Stop("the worker failed");
  return costs;
}

int Main(int argc, char** argv) {
  const double millions = argc > 1 ? std::atof(argv[1]) : 3;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  const auto devices = static_cast<std::size_t>(argc > 3 ? std::atoi(argv[3]) : 10'000);
  const auto count = static_cast<std::uint64_t>(millions * 1e6) / kBlock * kBlock;
  std::vector<Message> messages = MakeMessages(devices);
  std::vector<double> floor;
  std::vector<double> daemon;
  std::vector<double> worker;
  std::printf(
      "%llu messages of %zu + %zu bytes, %zu devices, filter and tumbling window "
      "(n, min, max, mean, p95)\n",
      static_cast<unsigned long long>(count), messages[0].topic.size(), messages[0].payload.size(),
      devices);
  for (int run = 0; run < runs; ++run) {
    char folder[] = "/dev/shm/runnel-bench-XXXXXX";
    if (mkdtemp(folder) == nullptr) Stop("no folder in /dev/shm");
    floor.push_back(FloorNanoseconds(messages));
    const Costs costs = OneRun(folder, messages, count);
    daemon.push_back(costs.daemon);
    worker.push_back(costs.worker);
    std::filesystem::remove_all(folder);
    std::printf(
        "run %d: daemon %.1f ns, worker %.1f ns, floor %.1f ns; elapsed %.1f ns, %llu results\n",
        run + 1, costs.daemon, costs.worker, floor.back(), costs.elapsed,
        static_cast<unsigned long long>(costs.results));
    std::fflush(stdout);
  }
  std::printf("%-24s %8s %10s\n", "CPU time of a message", "median", "x floor");
  for (const auto& [name, values] :
       {std::pair{"daemon (goal 60)", &daemon}, std::pair{"worker (goal 150)", &worker},
        std::pair{"floor: copy and sum", &floor}}) {
    std::printf("%-24s %5.1f ns %10.2f\n", name, Median(*values), Median(*values) / Median(floor));
  }
  return 0;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) { return runnel::Main(argc, argv); }
