#include "pipelines/batch/run.h"

#include <cstring>

#include "pipelines/base/bytes.h"

namespace runnel {
namespace {

void AppendVarint(std::uint64_t value, std::string& out) {
  char bytes[ByteWriter::kVarintMax];
  out.append(bytes, static_cast<std::size_t>(ByteWriter::PutVarint(value, bytes) - bytes));
}

bool TakeSized(std::string_view& from, std::string_view& part) {
  std::uint64_t size = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (from.empty()) return false;
    const auto byte = static_cast<unsigned char>(from[0]);
    from.remove_prefix(1);
    size |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) != 0) continue;
    if (size > from.size()) return false;
    part = from.substr(0, size);
    from.remove_prefix(size);
    return true;
  }
  return false;
}

void StoreU32(std::size_t value, char* at) {
  const auto word = static_cast<std::uint32_t>(value);
  std::memcpy(at, &word, sizeof word);
}

std::uint32_t LoadU32(const char* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

void RunWriter::Add(std::string_view key, std::string_view value) {
  if (!entries_.empty() && entries_.size() + key.size() + value.size() > kRunBlockBytes) Finish();
  AppendVarint(key.size(), entries_);
  entries_.append(key);
  AppendVarint(value.size(), entries_);
  entries_.append(value);
  last_key_.assign(key);
}

void RunWriter::Finish() {
  if (entries_.empty()) return;
  block_.resize(kRunBlockHead);
  StoreU32(last_key_.size() + entries_.size(), block_.data());
  StoreU32(last_key_.size(), block_.data() + 4);
  block_.append(last_key_).append(entries_);
  take_(block_);
  entries_.clear();
}

RunBlock ReadRunBlock(std::string_view bytes) { return ReadRunBlock(bytes, bytes.size()); }

RunBlock ReadRunBlock(std::string_view front, std::uint64_t run_bytes) {
  const std::string_view bytes = front.substr(0, run_bytes);
  if (bytes.size() < kRunBlockHead) return {};
  const std::size_t size = LoadU32(bytes.data());
  const std::size_t last = LoadU32(bytes.data() + 4);
  if (size > run_bytes - kRunBlockHead || last > size || last > bytes.size() - kRunBlockHead) {
    return {};
  }
  RunBlock block;
  block.last_key = bytes.substr(kRunBlockHead, last);
  block.entries = bytes.substr(kRunBlockHead + last, size - last);
  std::string_view entries = block.entries;
  if (!TakeSized(entries, block.first_key) || block.first_key > block.last_key) return {};
  block.size = kRunBlockHead + size;
  return block;
}

bool RunReader::Next(RunEntry& entry) {
  while (block_.empty()) {
    if (rest_.empty()) return false;
    const RunBlock block = ReadRunBlock(rest_);
    if (block.size == 0) {
      ok_ = false;
      rest_ = {};
      return false;
    }
    block_ = block.entries;
    rest_.remove_prefix(block.size);
  }
  if (TakeSized(block_, entry.key) && TakeSized(block_, entry.value)) return true;
  ok_ = false;
  block_ = rest_ = {};
  return false;
}

}  // namespace runnel
