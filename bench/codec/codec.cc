// bench/codec: what does it cost to decode and encode a record?
//
// Prints nanoseconds per record, the best of many passes over 4,000 different
// messages of one shape, next to a floor of the same run (copying the payload and
// adding up its bytes) and to simdjson.
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/exchange.h"
#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

constexpr int kMessages = 4'000;
constexpr int kPasses = 200;

FieldTable TableOf(std::initializer_list<std::string_view> names) {
  FieldTable table;
  for (const std::string_view name : names) table.Intern(name);
  return table;
}

// Messages with padding behind each, as a journal holds them.
std::vector<std::string> Messages() {
  std::vector<std::string> messages;
  for (int i = 0; i < kMessages; ++i) {
    char text[128];
    const int size = std::snprintf(
        text, sizeof text, R"({"ts":%lld,"device":"dev-%04d","temp":%d.%02d,"hum":%d.%d,"seq":%d})",
        1'700'000'000'000LL + i * 97, i * 37 % 1'000, 15 + i % 20, i * 7 % 100, 30 + i % 40, i % 10,
        10'000 + i);
    messages.emplace_back(text, static_cast<std::size_t>(size));
    messages.back().append(Decoder::kPadding, '\0');
  }
  return messages;
}

std::string_view PayloadOf(const std::string& message) {
  return {message.data(), message.size() - Decoder::kPadding};
}

// `work` on each message; the nanoseconds of one in the best pass.
template <typename Work>
double Measure(const std::vector<std::string>& messages, Work work) {
  double best = std::numeric_limits<double>::max();
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    for (const std::string& message : messages) work(PayloadOf(message));
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count() / static_cast<double>(messages.size()));
  }
  return best;
}

void Print(const char* what, double nanoseconds, double floor) {
  std::printf("%-44s %8.1f ns %7.1f x floor\n", what, nanoseconds, nanoseconds / floor);
}

[[noreturn]] void Stop(const char* what) {
  std::fprintf(stderr, "bench/codec: %s failed\n", what);
  std::exit(1);
}

double MeasureFloor(const std::vector<std::string>& messages) {
  char copy[128];
  std::uint64_t total = 0;
  const double result = Measure(messages, [&](std::string_view payload) {
    std::memcpy(copy, payload.data(), payload.size());
    const auto* const bytes = reinterpret_cast<const unsigned char*>(copy);
    for (std::size_t i = 0; i < payload.size(); ++i) total += bytes[i];
  });
  if (total == 0) Stop("the floor");
  return result;
}

double MeasureDecode(const std::vector<std::string>& messages, Decoder& decoder,
                     const FieldTable& table) {
  Arena arena(64 * 1024);
  Record record(table);
  return Measure(messages, [&](std::string_view payload) {
    record.Clear();
    if (!decoder.Decode(payload, arena, record).ok()) Stop("decoding");
  });
}

double MeasureOnDemand(const std::vector<std::string>& messages) {
  simdjson::ondemand::parser parser;
  double total = 0;
  return Measure(messages, [&](std::string_view payload) {
    simdjson::ondemand::document document;
    std::int64_t number = 0;
    double real = 0;
    std::string_view text;
    const simdjson::padded_string_view padded(payload.data(), payload.size(),
                                              payload.size() + Decoder::kPadding);
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document["ts"].get(number) != simdjson::SUCCESS ||
        document["device"].get(text) != simdjson::SUCCESS ||
        document["temp"].get(real) != simdjson::SUCCESS) {
      Stop("simdjson");
    }
    total += real + static_cast<double>(number) + static_cast<double>(text.size());
    if (document["hum"].get(real) != simdjson::SUCCESS ||
        document["seq"].get(number) != simdjson::SUCCESS) {
      Stop("simdjson");
    }
    total += real + static_cast<double>(number);
  });
}

double MeasureDom(const std::vector<std::string>& messages) {
  simdjson::dom::parser parser;
  return Measure(messages, [&](std::string_view payload) {
    simdjson::dom::element element;
    if (parser.parse(payload.data(), payload.size(), false).get(element) != simdjson::SUCCESS) {
      Stop("simdjson");
    }
  });
}

// A result of a window; `mean` and `p95` change with each call.
void SetResult(Record& record, double mean) {
  record.Set(0, Value::String("dev-0042"));
  record.Set(1, Value::Int(12));
  record.Set(2, Value::Double(mean));
  record.Set(3, Value::Double(mean * 1.1));
  record.Set(4, Value::Int(1'700'000'000'000));
  record.Set(5, Value::Int(1'700'000'010'000));
}

double MeasureEncode(const std::vector<std::string>& messages, double step) {
  const FieldTable table = TableOf({"device", "n", "mean", "p95", "start", "end"});
  const auto encoder = MakeJsonEncoder();
  Record record(table);
  std::string out;
  int count = 0;
  return Measure(messages, [&](std::string_view) {
    SetResult(record, 20 + static_cast<double>(++count % 1'000) * step);
    out.clear();
    if (!encoder->Encode(record, out).ok()) Stop("encoding");
  });
}

void MeasureExchange(const std::vector<std::string>& messages, double floor) {
  const FieldTable table = TableOf({"device", "n", "mean", "p95", "start", "end"});
  Record record(table);
  SetResult(record, 21.37);
  ExchangeEncoder encoder(table);
  std::string bytes;
  Print("exchange, encode: 6 fields",
        Measure(messages,
                [&](std::string_view) {
                  bytes.clear();
                  if (!encoder.Encode(record, bytes).ok()) Stop("encoding");
                }),
        floor);
  const ExchangeDecoder decoder(table, table, Unmentioned::kSkip);
  Arena arena(1024);
  Record copy(table);
  Print("exchange, decode: 6 fields",
        Measure(messages,
                [&](std::string_view) {
                  copy.Clear();
                  if (!decoder.Decode(bytes, arena, copy).ok()) Stop("decoding");
                }),
        floor);
}

// Bytes that the manual writes as `a2 64 7465`.
std::string FromHex(std::string_view text) {
  std::string bytes;
  int digits = 0;
  unsigned value = 0;
  for (const char c : text) {
    const bool letter = c >= 'a' && c <= 'f';
    if (!letter && (c < '0' || c > '9')) continue;
    value = value << 4 | static_cast<unsigned>(letter ? c - 'a' + 10 : c - '0');
    if (++digits % 2 == 0) bytes += static_cast<char>(value & 0xff);
  }
  return bytes;
}

// The message that the manual has of a codec: what a record of it costs to read, and to write.
void MeasureCodec(const Codec& codec) {
  Diagnostics diagnostics;
  const auto format = codec.compile(Node(), {"bench", 1, 1}, diagnostics);
  if (format == nullptr) Stop("a codec");
  const FieldTable none;
  std::string padded = codec.name == "cbor"
                           ? FromHex(codec.payload.substr(0, codec.payload.find(" (")))
                           : std::string(codec.payload);
  const std::size_t size = padded.size();
  padded.append(Decoder::kPadding, '\0');
  const std::vector<std::string> messages(100, padded);
  const auto decoder = format->MakeDecoder(none, Unmentioned::kKeep);
  const auto encoder = format->MakeEncoder();
  Arena arena(64 * 1024);
  Record record(none);
  std::size_t records = 0;
  const auto read = [&](std::string_view payload) {
    DecodeCursor cursor;
    for (records = 0; !cursor.AtEnd(); ++records) {
      record.Clear();
      if (!decoder->Next(payload, cursor, arena, record).ok()) Stop("decoding");
    }
    arena.Reset();
  };
  const double decode = Measure(messages, read);
  std::string out;
  bool writes = true;
  const double encode = Measure(messages, [&](std::string_view) {  // the last record
    out.clear();
    writes = encoder->Encode(record, out).ok();
  });
  const auto count = static_cast<double>(records);
  std::printf("%-10s %8.1f %8.1f %10zu %8zu\n", std::string(codec.name).c_str(), decode / count,
              writes ? encode : 0.0, records, size);
}

int Run() {
  const std::vector<std::string> messages = Messages();
  std::printf("messages of %zu bytes, 5 fields\n", PayloadOf(messages[0]).size());
  const double floor = MeasureFloor(messages);
  Print("floor: copy and add up the bytes", floor, floor);
  const FieldTable five = TableOf({"ts", "device", "temp", "hum", "seq"});
  const FieldTable two = TableOf({"device", "temp"});
  const FieldTable none;
  const auto decode = [&](const char* what, std::unique_ptr<Decoder> decoder,
                          const FieldTable& table) {
    Print(what, MeasureDecode(messages, *decoder, table), floor);
  };
  using enum Unmentioned;
  using internal::MakePlainJsonDecoder;
  decode("json, decode: predicted, 5 fields wanted", MakeJsonDecoder(five, kSkip), five);
  decode("json, decode: predicted, 2 fields wanted", MakeJsonDecoder(two, kSkip), two);
  decode("json, decode: predicted, all kept by name", MakeJsonDecoder(none, kKeep), none);
  decode("json, decode: unpredicted, 5 fields wanted", MakePlainJsonDecoder(five, kSkip), five);
  decode("json, decode: unpredicted, all kept by name", MakePlainJsonDecoder(none, kKeep), none);
  Print("simdjson on demand, 5 fields", MeasureOnDemand(messages), floor);
  Print("simdjson DOM, parsed only", MeasureDom(messages), floor);
  Print("json, encode: 6 fields, short doubles", MeasureEncode(messages, 0.25), floor);
  Print("json, encode: 6 fields, 17-digit doubles", MeasureEncode(messages, 0.0123456789), floor);
  MeasureExchange(messages, floor);
  std::printf("\nns a record, of the manual's example of each codec, all fields kept by name\n");
  std::printf("%-10s %8s %8s %10s %8s\n", "codec", "decode", "encode", "records", "bytes");
  for (const Codec& codec : Codecs()) MeasureCodec(codec);
  return 0;
}

}  // namespace
}  // namespace runnel

int main() { return runnel::Run(); }
