#include "pipelines/value/digest.h"

#include <bit>

#include "pipelines/base/hash.h"

namespace runnel {

std::uint64_t Digest(const Value& value, std::uint64_t seed) {
  seed = seed * 31 + static_cast<std::uint64_t>(value.type());
  switch (value.type()) {
    case Type::kString:
    case Type::kBytes:
      return Hash(value.AsString(), seed);
    case Type::kList:
      for (const Value& item : value.AsList()) seed = Digest(item, seed);
      return seed;
    case Type::kMap:
      for (const MapEntry& entry : value.AsMap()) {
        seed = Digest(entry.value, Digest(entry.key, seed));
      }
      return seed;
    case Type::kTimestamp:
    case Type::kDuration:
      return Digest(Value::Int(value.Seconds()),
                    seed + static_cast<std::uint32_t>(value.Nanoseconds()));
    default: {
      const std::uint64_t bits = value.type() == Type::kDouble
                                     ? std::bit_cast<std::uint64_t>(value.AsDouble())
                                     : value.AsUint();
      return Hash({reinterpret_cast<const char*>(&bits), sizeof bits}, seed);
    }
  }
}

}  // namespace runnel
