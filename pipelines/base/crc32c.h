// CRC32C (Castagnoli, RFC 3720 appendix B.4): guards what outlives a process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace runnel {

// The checksum of `bytes`, going on from `crc` (0 to start).
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

namespace internal {
// The way of processors without an instruction for it; for tests.
std::uint32_t Crc32cByTable(std::span<const std::byte> bytes, std::uint32_t crc = 0);
}  // namespace internal

}  // namespace runnel
