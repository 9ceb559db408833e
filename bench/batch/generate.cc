// Writes the input of the batch bench: ts,device,temp,hum,pressure of 1,000 devices, 60,000
// rows a minute, in the order of time or shuffled by blocks that span all of it.
//
// usage: bench_generate ROWS ordered|shuffled FILE
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kBegin = 1'700'000'040'000;  // milliseconds, on a minute

// splitmix64 (Steele, Lea, Flood: OOPSLA 2014): row and draw to a number, in any order.
std::uint64_t Draw(std::uint64_t row, std::uint64_t draw) {
  std::uint64_t z = (row * 8 + draw) * 0x9e3779b97f4a7c15U + 0x1234567;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
  z = (z ^ z >> 27) * 0x94d049bb133111ebU;
  return z ^ z >> 31;
}

void AppendRow(std::uint64_t row, std::string& out) {
  char text[96];
  const auto device = static_cast<unsigned>(Draw(row, 0) % 1000);
  const double temp = 15.0 + static_cast<double>(Draw(row, 1) % 1500) / 100;
  const double hum = 30.0 + static_cast<double>(Draw(row, 2) % 400) / 10;
  const double pressure = 990.0 + static_cast<double>(Draw(row, 3) % 400) / 10;
  const int size = std::snprintf(text, sizeof text, "%lld,dev%03u,%.2f,%.1f,%.1f\n",
                                 static_cast<long long>(kBegin + static_cast<std::int64_t>(row)),
                                 device, temp, hum, pressure);
  out.append(text, static_cast<std::size_t>(size));
}

// Fisher and Yates; the same order everywhere.
std::vector<std::uint32_t> Shuffled(std::uint64_t rows) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0U);
  for (std::uint64_t i = rows; i > 1; --i) std::swap(order[i - 1], order[Draw(i, 7) % i]);
  return order;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_generate ROWS ordered|shuffled FILE\n", stderr);
    return 2;
  }
  const std::uint64_t rows = std::strtoull(argv[1], nullptr, 10);
  const bool shuffled = std::strcmp(argv[2], "shuffled") == 0;
  std::FILE* file = std::fopen(argv[3], "w");
  if (file == nullptr || rows > UINT32_MAX) return 1;
  const std::vector<std::uint32_t> order = shuffled ? Shuffled(rows) : std::vector<std::uint32_t>();
  std::string out = "ts,device,temp,hum,pressure\n";
  for (std::uint64_t i = 0; i < rows; ++i) {
    AppendRow(shuffled ? order[i] : i, out);
    if (out.size() < 1 << 20 && i + 1 < rows) continue;
    if (std::fwrite(out.data(), 1, out.size(), file) != out.size()) return 1;
    out.clear();
  }
  return std::fclose(file) == 0 ? 0 : 1;
}
