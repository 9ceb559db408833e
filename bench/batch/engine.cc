// The engine's part of a batch run alone, in one process: a file in memory, mapped in chunks
// and merged. CPU time of each, the least of several rounds.
//
// usage: bench_batch_engine FILE [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "config/config.h"
#include "pipelines/batch/chunk_mapper.h"
#include "pipelines/batch/run_merger.h"
#include "pipelines/batch/splitter.h"

namespace {

constexpr std::size_t kChunk = 4 << 20;
constexpr const char* kPipeline =
    "decode: csv\ntimestamp: ts\nsteps:\n  - window:\n      tumbling: 1m\n      key: device\n"
    "      aggregate: { n: count(), low: min(temp), high: max(temp), mean: mean(temp),"
    " p95: quantile(temp, 0.95) }\n"
    "encode: { csv: { columns: [device, start, end, n, low, high, mean, p95], header: false } }\n";

class Keep final : public runnel::BatchSink {
 public:
  void TakeOutput(std::string_view bytes) override { output += bytes.size(); }
  void TakeRunBlock(std::string_view block) override { run.append(block); }
  void EndRun() override { runs.push_back(std::move(run)), run.clear(); }
  void TakeSegment(std::uint32_t, std::string_view) override {}
  void TakeReject(const runnel::BatchReject&) override { ++rejects; }
  std::string run;
  std::vector<std::string> runs;
  std::size_t output = 0;
  std::size_t rejects = 0;
};

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string ReadAll(const char* path) {
  std::string text;
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) std::exit(1);
  std::vector<char> block(1 << 20);
  for (std::size_t got; (got = std::fread(block.data(), 1, block.size(), file)) > 0;) {
    text.append(block.data(), got);
  }
  std::fclose(file);
  return text;
}

struct Times {
  double count = 1e9;
  double map = 1e9;
  double merge = 1e9;
};

void Round(const runnel::BatchPlan& plan, const std::string& text, Times& best) {
  Keep keep;
  runnel::StateRegion region = runnel::StateRegion::InMemory(64 << 20);
  auto mapper = runnel::ChunkMapper::Create(plan, region, keep, [](std::uint64_t) {});
  const std::size_t begin = text.find('\n') + 1;
  const std::string_view header = std::string_view(text).substr(0, begin);
  const std::string_view rows = std::string_view(text).substr(begin, text.size() - begin - 64);
  double counting = 0;
  double mapping = 0;
  std::uint64_t number = 0;
  for (std::size_t at = 0; at < rows.size();) {
    std::string_view chunk = rows.substr(at, kChunk);
    double before = CpuSeconds();
    const runnel::TextCounts counts = runnel::CountText(chunk, '"');
    if (chunk.size() == kChunk) chunk = chunk.substr(0, runnel::LastRecordEnd(chunk, counts, '"'));
    counting += CpuSeconds() - before;
    before = CpuSeconds();
    if (mapper.value()->Map({number++, header, chunk}, {}) != nullptr) std::exit(1);
    mapping += CpuSeconds() - before;
    at += chunk.size();
  }
  auto merger = runnel::RunMerger::Create(plan, region, keep);
  runnel::MergeInput input;
  std::size_t bytes = 0;
  for (const std::string& run : keep.runs) {
    input.runs.push_back(run);
    bytes += run.size();
  }
  const double before = CpuSeconds();
  if (!merger.value()->Merge(input, runnel::MergeGoal::kResults)) std::exit(1);
  best.merge = std::min(best.merge, CpuSeconds() - before);
  best.count = std::min(best.count, counting);
  best.map = std::min(best.map, mapping);
  std::printf("%zu runs, %zu bytes, output %zu, rejects %zu\n", keep.runs.size(), bytes,
              keep.output, keep.rejects);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::string text = ReadAll(argv[1]);
  const double rows = static_cast<double>(std::count(text.begin(), text.end(), '\n'));
  text.append(64, '\0');
  runnel::Diagnostics diagnostics;
  auto file = runnel::ReadPipeline(kPipeline, "bench.yaml", {}, {}, diagnostics);
  runnel::BatchSpec spec;
  spec.name = "bench";
  spec.pipeline = file->root;
  runnel::Registry registry;
  runnel::RegisterAll(registry);
  const auto plan = runnel::CompileBatch(spec, registry, diagnostics);
  std::fputs(diagnostics.Format().c_str(), stderr);
  if (plan == nullptr) return 1;
  Times best;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  for (int i = 0; i < rounds; ++i) Round(*plan, text, best);
  std::printf("ns/row: finding records %.1f, mapping %.1f, merging %.1f\n", best.count / rows * 1e9,
              best.map / rows * 1e9, best.merge / rows * 1e9);
  return 0;
}
