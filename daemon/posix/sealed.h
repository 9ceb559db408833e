// Sealed bytes: what a small file of ours has, between a magic line and a checksum.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pipelines/base/bytes.h"
#include "pipelines/base/crc32c.h"
#include "pipelines/base/result.h"

namespace runnel {

// A writer that has begun so, for Seal().
inline ByteWriter BeginSealed(std::string_view magic) {
  ByteWriter writer;
  writer.Raw(magic);
  return writer;
}

inline std::string Seal(ByteWriter writer) {
  writer.U32(Crc32c(std::as_bytes(std::span(writer.bytes()))));
  return writer.Take();
}

inline Error DamagedSeal(std::string_view name, std::string_view what) {
  return Error{ErrorKind::kGiveUp, std::string(name) + " is damaged: " + std::string(what)};
}

// What stands between them. `name`: of the file, for the error.
inline Result<std::string_view> Unseal(std::string_view magic, std::string_view bytes,
                                       std::string_view name) {
  constexpr std::size_t kChecksum = 4;
  if (!bytes.starts_with(magic) || bytes.size() < magic.size() + kChecksum) {
    return DamagedSeal(name, "it does not begin as expected");
  }
  ByteReader checksum(bytes.substr(bytes.size() - kChecksum));
  bytes.remove_suffix(kChecksum);
  if (checksum.U32() != Crc32c(std::as_bytes(std::span(bytes)))) {
    return DamagedSeal(name, "the checksum does not match");
  }
  return bytes.substr(magic.size());
}

}  // namespace runnel
