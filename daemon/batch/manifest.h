// Manifest: which chunks of a run are done, in a file beside the output, for `--resume`.
//
// A head with what the run is about, then an entry for every chunk, each with a checksum.
// What does not read back ends it: a run that was killed goes on behind its last whole
// entry. Layout: docs/formats/batch.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/batch/chunker.h"
#include "daemon/batch/spool.h"
#include "pipelines/batch/chunk_mapper.h"

namespace runnel {

// What a run must be the same in to be gone on with.
struct ManifestHead {
  std::uint64_t pipeline = 0;  // fingerprint of the plan, the formats and the first line
  std::uint64_t chunk_bytes = 0;
  bool spread = false;
  std::vector<InputFile> inputs;
};

struct SegmentPlace {
  std::uint32_t partition = 0;
  std::uint64_t chunk = 0;
  std::uint32_t header = 0;  // bytes in front of the rows
  Extent extent;
};

struct ManifestEntry {
  Chunk chunk;
  BatchCounts counts;
  std::uint64_t output = 0;  // bytes of each file when the chunk was done
  std::uint64_t spool = 0;
  std::uint64_t rejects = 0;
  std::vector<Extent> runs;  // that the chunk has left
  std::vector<SegmentPlace> segments;
};

std::string EncodeManifestHead(const ManifestHead& head);
std::string EncodeManifestEntry(const ManifestEntry& entry);

struct ManifestContent {
  ManifestHead head;
  std::vector<ManifestEntry> entries;
  std::size_t size = 0;  // bytes up to the end of the last whole entry
};
// nullopt where not even the head is whole. Trusts nothing.
std::optional<ManifestContent> ReadManifest(std::string_view bytes);

// Empty where they are the same; else what differs.
std::string WhyNotTheSame(const ManifestHead& before, const ManifestHead& now);

}  // namespace runnel
