// Chunker: the inputs as chunks of whole records, read straight into slots.
//
// The grid of chunks follows from the bytes of the inputs alone: a chunk takes so many
// bytes from where the last one ended and gives back what is behind its last record. Each
// file begins a chunk of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/batch/byte_source.h"
#include "daemon/batch/inputs.h"

namespace runnel {

struct ChunkOptions {
  std::size_t bytes = 4 << 20;  // of a chunk
  char quote = 0;               // newlines between two of these end no record; 0: none
  bool header = false;          // the first record of a file has names
};

struct Chunk {
  std::uint64_t number = 0;
  std::size_t file = 0;        // index into the inputs
  std::uint64_t line = 1;      // of its first row
  std::size_t header = 0;      // bytes at the front of the slot
  std::size_t begin = 0;       // of the text in the slot
  std::size_t size = 0;        // of the text
  std::uint64_t position = 0;  // of the next chunk in the unpacked file
  std::uint64_t next_line = 1;
  bool file_ends = false;
};

class Chunker final {
 public:
  // `streams` outlives the chunker.
  Chunker(std::vector<InputFile> inputs, const ChunkOptions& options, Streams& streams)
      : inputs_(std::move(inputs)), options_(options), streams_(&streams) {}

  // Bytes that a slot must have.
  static std::size_t SlotBytes(const ChunkOptions& options);
  // Fills `slot` with the next chunk; false behind the last one.
  Result<bool> Fill(char* slot, Chunk& chunk);
  // Goes on behind a chunk that an earlier run has done.
  Status ResumeBehind(const Chunk& chunk);

  const std::vector<InputFile>& inputs() const { return inputs_; }
  std::uint64_t bytes_read() const;   // of the files themselves
  std::uint64_t bytes_total() const;  // 0: nobody knows

 private:
  Status OpenNext(char* slot, std::size_t& size);
  Status TakeHeader(char* slot, std::size_t& begin, std::size_t size);
  Result<std::size_t> ReadUpTo(char* to, std::size_t size);
  Error TooLong(const char* what, std::size_t most) const;

  std::vector<InputFile> inputs_;
  ChunkOptions options_;
  Streams* streams_;
  std::unique_ptr<ByteSource> source_;
  std::size_t file_ = 0;      // of source_, or the next one
  std::uint64_t number_ = 0;  // of the next chunk
  std::uint64_t line_ = 1;
  std::uint64_t position_ = 0;  // of the next chunk
  std::uint64_t done_ = 0;      // bytes of files before
  std::string header_;
  std::string carry_;  // read, and behind the last record
  bool ended_ = false;
};

}  // namespace runnel
