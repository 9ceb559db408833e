// BatchOptions: what `runnel batch` was asked to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runnel {

struct BatchOptions {
  std::string pipeline;
  std::vector<std::string> inputs;
  std::string output;
  std::size_t workers = 0;   // 0: as many as there are processors
  std::string format;        // of the output; empty: by its name, or as the pipeline encodes
  std::string input_format;  // the same of the inputs
  std::string topic;
  std::optional<std::string> topic_column;
  std::uint64_t memory = 64 << 20;
  std::optional<std::uint64_t> errors_max;
  std::string rejects;  // empty: beside the output
  std::size_t chunk_bytes = 4 << 20;
  std::chrono::milliseconds row_timeout{30'000};
  bool resume = false;
  bool as_stream = false;
  bool progress = false;
  bool json = false;
  // Not of the command line.
  std::string worker_executable;
  std::string poison_text;
};

}  // namespace runnel
