// bench/journal: what does a record of 100 bytes cost from one process to another?
//
//   bench_journal [records in millions] [runs]
//
// A child process reads and adds up what this one writes, through a ring in shared
// memory. `batch` is how many records become visible together: the daemon publishes
// each message. CPU time of both ends, the median of the runs, next to one memcpy.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "daemon/journal/ring.h"
#include "daemon/posix/files.h"
#include "daemon/posix/mapping.h"

namespace runnel {
namespace {

constexpr std::size_t kRingBytes = 256 * 1024;
constexpr std::size_t kPayload = 100;
constexpr std::string_view kTopic = "";

[[noreturn]] void Stop(const std::string& what) {
  std::fprintf(stderr, "bench/journal: %s\n", what.c_str());
  std::exit(1);
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

// The words that the two ends share; each on a cache line of its own.
struct Shared {
  alignas(64) std::atomic<std::uint64_t> head{0};
  alignas(64) std::atomic<std::uint64_t> reclaim{0};
  alignas(64) std::atomic<std::uint64_t> sum{0};
  double reader_cpu = 0;
};

[[noreturn]] void Read(Shared& shared, const std::byte* data, std::uint64_t records) {
  RingReader reader(data, kRingBytes, shared.head, 0, kRingBytes);
  RecordView record;
  std::uint64_t sum = 0;
  const double start = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  double waited = 0;
  for (std::uint64_t read = 0; read < records;) {
    if (reader.Peek(record) != RingReader::Found::kRecord) {
      shared.reclaim.store(reader.position(), std::memory_order_release);
      const double begin = Seconds(CLOCK_PROCESS_CPUTIME_ID);
      while (!reader.HasMore()) sched_yield();
      waited += Seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
      continue;
    }
    std::uint64_t word = 0;
    std::memcpy(&word, record.payload.data(), sizeof word);
    sum += word;
    reader.Pass(record);
    ++read;
    if (read % 256 == 0) shared.reclaim.store(reader.position(), std::memory_order_release);
  }
  shared.reader_cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID) - start - waited;
  shared.sum.store(sum);
  std::_Exit(0);
}

struct Costs {
  double writer = 0;
  double reader = 0;
  double elapsed = 0;
};

void Write(Shared& shared, std::byte* data, std::uint64_t records, std::uint64_t batch,
           double& waited) {
  RingWriter writer(data, kRingBytes, shared.head, shared.reclaim);
  std::string payload(kPayload, 'x');
  RecordHeader header{};
  header.kind = 1;
  for (std::uint64_t i = 0; i < records; ++i) {
    std::memcpy(payload.data(), &i, sizeof i);
    const std::string_view part = payload;
    if (!writer.HasRoom(RingBytes(kTopic.size(), kPayload))) {
      writer.Publish();
      const double begin = Seconds(CLOCK_THREAD_CPUTIME_ID);
      while (!writer.HasRoom(kRingBytes / 2)) sched_yield();
      waited += Seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
    }
    header.sequence = i;
    writer.Append(header, kTopic, {part});
    if (i % batch == batch - 1) writer.Publish();
  }
  writer.Publish();
}

Costs OneRun(std::uint64_t records, std::uint64_t batch) {
  Result<Fd> file = MakeMemoryFile("bench-ring", kRingBytes);
  if (!file.ok()) Stop(file.error().message);
  Result<Mapping> ring = Mapping::MapTwice(file.value().get(), 0, kRingBytes, Access::kWrite);
  if (!ring.ok()) Stop(ring.error().message);
  void* page = mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) Stop("mmap");
  auto* shared = new (page) Shared();
  const double start = Seconds(CLOCK_MONOTONIC);
  const pid_t child = fork();
  if (child == 0) Read(*shared, ring.value().data(), records);
  double waited = 0;
  const double begin = Seconds(CLOCK_THREAD_CPUTIME_ID);
  Write(*shared, ring.value().data(), records, batch, waited);
  const double spent = Seconds(CLOCK_THREAD_CPUTIME_ID) - begin - waited;
  int ended = 0;
  if (waitpid(child, &ended, 0) != child || ended != 0) Stop("the reader failed");
  if (shared->sum.load() != records * (records - 1) / 2) Stop("the reader read something else");
  const double per_record = 1e9 / static_cast<double>(records);
  Costs costs{spent * per_record, shared->reader_cpu * per_record,
              (Seconds(CLOCK_MONOTONIC) - start) * per_record};
  munmap(page, PageSize());
  return costs;
}

// One copy of each payload into a buffer as large as the ring.
double FloorNanoseconds(std::uint64_t records) {
  std::vector<char> buffer(kRingBytes + kPayload);
  std::string payload(kPayload, 'x');
  std::size_t at = 0;
  const double start = Seconds(CLOCK_THREAD_CPUTIME_ID);
  for (std::uint64_t i = 0; i < records; ++i) {
    std::memcpy(payload.data(), &i, sizeof i);
    std::memcpy(buffer.data() + at, payload.data(), kPayload);
    asm volatile("" : : "r"(buffer.data()) : "memory");
    at = (at + RingBytes(0, kPayload)) & (kRingBytes - 1);
  }
  return (Seconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e9 / static_cast<double>(records);
}

int Main(int argc, char** argv) {
  const auto records = static_cast<std::uint64_t>((argc > 1 ? std::atof(argv[1]) : 5) * 1e6);
  const int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  std::printf("%llu records, %zu bytes payload, ring of %zu KiB, median of %d runs\n",
              static_cast<unsigned long long>(records), kPayload, kRingBytes / 1024, runs);
  std::printf("%-22s %10s %10s %12s\n", "", "writer", "reader", "elapsed");
  for (const std::uint64_t batch : {std::uint64_t{1}, std::uint64_t{64}}) {
    std::vector<double> writer;
    std::vector<double> reader;
    std::vector<double> elapsed;
    for (int run = 0; run < runs; ++run) {
      const Costs costs = OneRun(records, batch);
      writer.push_back(costs.writer);
      reader.push_back(costs.reader);
      elapsed.push_back(costs.elapsed);
    }
    std::printf("ring, batch %-10llu %7.1f ns %7.1f ns %9.1f ns\n",
                static_cast<unsigned long long>(batch), Median(writer), Median(reader),
                Median(elapsed));
    std::fflush(stdout);
  }
  std::vector<double> floor;
  for (int run = 0; run < runs; ++run) floor.push_back(FloorNanoseconds(records));
  std::printf("%-22s %7.1f ns\n", "floor: one memcpy", Median(floor));
  return 0;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) { return runnel::Main(argc, argv); }
