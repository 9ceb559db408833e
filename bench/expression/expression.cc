// What an expression costs: ns per evaluation of ten typical ones, each next to its
// floor, the same computation written by hand in C++ over the same record.
//
// The best of many rounds counts, for the question is what the code costs and not
// what else the machine does. Allocations are counted through operator new.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/expr/expression.h"

namespace {
std::uint64_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace runnel {
namespace {

constexpr int kRounds = 40;
constexpr int kTurns = 20'000;

struct Fields {
  std::uint16_t temp, humidity, count, device, low, values;
};

Value Missing() { return Value::Error("no_such_field"); }
double Number(const Record& record, std::uint16_t field) { return record.Get(field).ToDouble(); }

using Floor = Value (*)(const Record& record, const Fields& f, Arena& arena);

struct Case {
  const char* text;
  Floor floor;
};

// The floors check types as little as a person would who knows the record.
const Case kCases[] = {
    {"temp > 20.5",
     [](const Record& r, const Fields& f, Arena&) {
       if (r.Get(f.temp).IsMissing()) return Missing();
       return Value::Bool(Number(r, f.temp) > 20.5);
     }},
    {"temp > -40 && temp < 85",
     [](const Record& r, const Fields& f, Arena&) {
       return Value::Bool(Number(r, f.temp) > -40 && Number(r, f.temp) < 85);
     }},
    {"temp * 9 / 5 + 32", [](const Record& r, const Fields& f,
                             Arena&) { return Value::Double(Number(r, f.temp) * 9 / 5 + 32); }},
    {"temp * 9 / 5 + 32 > 90 && device.startsWith(\"a\")",
     [](const Record& r, const Fields& f, Arena&) {
       return Value::Bool(Number(r, f.temp) * 9 / 5 + 32 > 90 &&
                          r.Get(f.device).AsString().starts_with("a"));
     }},
    {"device == \"a-1042\"",
     [](const Record& r, const Fields& f, Arena&) {
       return Value::Bool(r.Get(f.device).AsString() == "a-1042");
     }},
    {"count % 10 == 0", [](const Record& r, const Fields& f,
                           Arena&) { return Value::Bool(r.Get(f.count).AsInt() % 10 == 0); }},
    {"has(low) && low || humidity >= 95.0",
     [](const Record& r, const Fields& f, Arena&) {
       const Value& low = r.Get(f.low);
       return Value::Bool((!low.IsMissing() && low.AsBool()) || Number(r, f.humidity) >= 95.0);
     }},
    {"temp > 30 ? \"hot\" : temp < 5 ? \"cold\" : \"mild\"",
     [](const Record& r, const Fields& f, Arena&) {
       const double temp = Number(r, f.temp);
       return Value::String(temp > 30 ? "hot" : temp < 5 ? "cold" : "mild");
     }},
    {"round(temp - 0.4 * (temp - 10.0) * (1.0 - humidity / 100.0), 1)",
     [](const Record& r, const Fields& f, Arena&) {
       const double t = Number(r, f.temp);
       const double x = t - 0.4 * (t - 10) * (1 - Number(r, f.humidity) / 100);
       return Value::Double(static_cast<double>(static_cast<std::int64_t>(x * 10 + 0.5)) / 10);
     }},
    {"values.exists(v, v > 90.0)",
     [](const Record& r, const Fields& f, Arena&) {
       for (const Value& value : r.Get(f.values).AsList()) {
         if (value.AsDouble() > 90.0) return Value::Bool(true);
       }
       return Value::Bool(false);
     }},
};

template <typename Evaluate>
double Best(const Evaluate& evaluate, Arena& arena) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int turn = 0; turn < kTurns; ++turn) {
      arena.Reset();
      const Value value = evaluate();
      asm volatile("" : : "r"(&value) : "memory");
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count() / kTurns);
  }
  return best;
}

int Run() {
  FieldTable table;
  const Fields fields{table.Intern("temp"),   table.Intern("humidity"), table.Intern("count"),
                      table.Intern("device"), table.Intern("low"),      table.Intern("values")};
  Value values[8];
  for (int i = 0; i < 8; ++i) values[i] = Value::Double(i * 10.0);
  Record record(table);
  record.Set(fields.temp, Value::Double(35.5));
  record.Set(fields.humidity, Value::Double(61.25));
  record.Set(fields.count, Value::Int(1'234'560));
  record.Set(fields.device, Value::String("a-1042"));
  record.Set(fields.low, Value::Bool(false));
  record.Set(fields.values, Value::List(values));
  Arena arena(4096);
  std::printf("%8s %8s %7s %12s  expression\n", "ns", "floor", "ratio", "allocations");
  for (const Case& each : kCases) {
    Scope scope;
    scope.fields = &table;
    Diagnostics diagnostics;
    const auto expression = Expression::Compile(each.text, {"bench", 1, 1}, scope, diagnostics);
    if (expression == nullptr) {
      std::fputs(diagnostics.Format().c_str(), stderr);
      return 1;
    }
    const Value value = expression->Evaluate(record, arena);
    if (!Equal(value, each.floor(record, fields, arena))) {
      std::fprintf(stderr, "error: `%s` and its floor differ\n", each.text);
      return 1;
    }
    const double floor = Best([&] { return each.floor(record, fields, arena); }, arena);
    const std::uint64_t before = allocations;
    const double spent = Best([&] { return expression->Evaluate(record, arena); }, arena);
    const double per_turn = static_cast<double>(allocations - before) / (kRounds * kTurns);
    std::printf("%8.1f %8.1f %7.1f %12.1f  %s\n", spent, floor, spent / floor, per_turn, each.text);
  }
  return 0;
}

}  // namespace
}  // namespace runnel

int main() { return runnel::Run(); }
