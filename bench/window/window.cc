// bench/window: what windows and aggregates cost: ns a record, bytes a key.
//
//   bench_window [records in thousands] [keys] [aggregate]
//
// The whole engine without journals: decode JSON, find the key, add to the window, close
// it. `ns` is what that costs above the floor: the same messages, decoded and dropped. Bytes
// a key are what the state region has used in the end, all windows of a key and what is
// free between them included.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "config/config.h"
#include "pipelines/codecs/codec.h"
#include "pipelines/plan/pipeline.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

constexpr int kRounds = 10;
constexpr std::size_t kStateBytes = std::size_t{32} << 20;
constexpr std::int64_t kFirst = 1'700'000'000;  // seconds

[[noreturn]] void Stop(const std::string& what) {
  std::fprintf(stderr, "bench/window: %s\n", what.c_str());
  std::exit(1);
}

struct Message {
  std::string topic;
  std::string payload;  // with the decoder's padding
  std::size_t size = 0;
};

// Each key in turn, a second from one of its records to the next.
std::vector<Message> Messages(std::size_t records, std::size_t keys) {
  std::mt19937 random(7);
  std::vector<Message> messages(records);
  for (std::size_t i = 0; i < records; ++i) {
    char text[160];
    const std::size_t key = i % keys;
    const double v = 20 + static_cast<double>(random() % 1'000) / 100;
    std::snprintf(text, sizeof text, R"({"ts":%lld,"v":%.2f,"w":%.1f,"b":%s,"s":"state-%u"})",
                  static_cast<long long>(kFirst + static_cast<std::int64_t>(i / keys)), v,
                  v * 3 + static_cast<double>(random() % 10), random() % 2 == 0 ? "true" : "false",
                  static_cast<unsigned>(random() % 8));
    messages[i].topic = "s/dev-" + std::to_string(1'000 + key);
    messages[i].payload = text;
    messages[i].size = messages[i].payload.size();
    messages[i].payload.append(Decoder::kPadding, '\0');
  }
  return messages;
}

class Nowhere final : public OutputSink {
 public:
  void Write(const Output& output) override {
    if (output.kind == OutputKind::kDeadLetter) Stop("dead letter: " + std::string(output.reason));
    ++results;
  }
  std::uint64_t results = 0;
};

std::unique_ptr<const Plan> Compiled(const std::string& step, const Registry& registry) {
  const std::string text =
      "source: { mqtt: { topic: \"s/{device}\" } }\n"
      "timestamp: { field: ts, unit: s }\npartitions: 1\nsteps:\n  - " +
      step + "\nsink: { mqtt: { topic: out } }\n";
  Diagnostics diagnostics;
  diagnostics.AddSource("bench.yaml", text);
  const auto file = ReadPipeline(text, "bench.yaml", {}, {}, diagnostics);
  auto plan =
      file.has_value() ? CompilePlan(file->root, "bench", registry, {}, diagnostics) : nullptr;
  if (plan == nullptr) Stop(diagnostics.Format());
  return plan;
}

struct Cost {
  double ns = 1e9;  // a record
  double bytes = 0;
  std::uint64_t results = 0;
};

// All messages once; keeps the better time in `best`.
void Pass(const Plan& plan, const std::vector<Message>& messages, std::size_t keys, Cost& best) {
  StateRegion region = StateRegion::InMemory(kStateBytes);
  auto made = Pipeline::Create(plan, 0, region, Ledger{});
  if (!made.ok()) Stop(made.error().message);
  Pipeline& pipeline = *made.value();
  Nowhere nowhere;
  const auto begin = std::chrono::steady_clock::now();
  Input input;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    input.topic = messages[i].topic;
    input.payload = std::string_view(messages[i].payload).substr(0, messages[i].size);
    input.arrival =
        Time(std::chrono::seconds(kFirst)) + std::chrono::microseconds(i * 1'000'000 / keys);
    pipeline.Push(input, {}, nowhere);
    while (pipeline.HasPending()) pipeline.Step({}, nowhere);
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  best.ns = std::min(best.ns, took.count() / static_cast<double>(messages.size()));
  best.bytes = static_cast<double>(region.used()) / static_cast<double>(keys);
  best.results = nowhere.results;
}

class Bench final {
 public:
  Bench(std::size_t records, std::size_t keys) : messages_(Messages(records, keys)), keys_(keys) {
    RegisterAll(registry_);
    floor_ = Compiled("filter: v < 0", registry_);
    std::printf("%zu records, %zu keys, a record of a key each second; best of %d rounds\n",
                records, keys, kRounds);
  }

  void Kinds() {
    Head("window, with n: count()");
    for (const char* kind :
         {"tumbling: 1m", "hopping: { size: 1m, every: 10s }", "sliding: 1m", "session: 5s",
          "count: 60", "count: { size: 60, every: 10 }", "global: { every: 10s }",
          "global: { on_change: true }", "global: { when: n % 60 == 0, reset: true }",
          "tumbling: 1m, emit: every 10s"}) {
      Row(kind, "window: { " + std::string(kind) + ", key: device, aggregate: { n: count() } }");
    }
  }
  void Aggregates(std::string_view only) {
    Head("aggregate, in a tumbling window of 1m");
    for (const std::string_view name : registry_.AggregateNames()) {
      if (!only.empty() && name != only) continue;
      const std::string call = Call(std::string(name), *registry_.FindAggregate(name));
      Row(call, "window: { tumbling: 1m, key: device, aggregate: { a: \"" + call + "\" } }");
    }
  }

 private:
  static void Head(const char* what) {
    std::printf("\n%-42s %8s %8s %8s %8s %8s\n", what, "ns", "floor", "/ floor", "B / key",
                "results");
  }
  // Step and floor take turns: what slows the machine down slows both.
  void Row(const std::string& name, const std::string& step) {
    const auto plan = Compiled(step, registry_);
    Cost cost;
    Cost floor;
    for (int round = 0; round < kRounds; ++round) {
      Pass(*floor_, messages_, keys_, floor);
      Pass(*plan, messages_, keys_, cost);
    }
    std::printf("%-42s %8.1f %8.1f %8.2f %8.0f %8llu\n", name.c_str(), cost.ns - floor.ns, floor.ns,
                (cost.ns - floor.ns) / floor.ns, cost.bytes,
                static_cast<unsigned long long>(cost.results));
  }
  static std::string Call(const std::string& name, const AggregateSpec& spec);

  Registry registry_;
  std::vector<Message> messages_;
  std::size_t keys_;
  std::unique_ptr<const Plan> floor_;
};

// A call of the aggregate over fields of the messages.
std::string Bench::Call(const std::string& name, const AggregateSpec& spec) {
  static const std::map<std::string, std::string> kParameters = {
      {"quantile", ", 0.95"}, {"ewma", ", 10s"}, {"top_k", ", 3"}, {"histogram", ", 22, 25, 28"}};
  const auto parameters = kParameters.find(name);
  std::string values = spec.takes == Type::kBool ? "b" : spec.takes == Type::kMissing ? "s" : "v";
  if (spec.values_min == 0) values.clear();
  if (spec.values_min == 2) values += ", w";
  return name + "(" + values + (parameters == kParameters.end() ? "" : parameters->second) + ")";
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) {
  const std::size_t thousands = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 300;
  const std::size_t keys = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000;
  if (thousands == 0 || keys == 0) {
    std::fprintf(stderr, "usage: bench_window [records in thousands] [keys] [aggregate]\n");
    return 2;
  }
  runnel::Bench bench(thousands * 1'000, keys);
  const std::string only = argc > 3 ? argv[3] : "";
  if (only.empty()) bench.Kinds();
  bench.Aggregates(only);
  return 0;
}
