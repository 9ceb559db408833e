#include "pipelines/aggregates/number_state.h"

#include <bit>

namespace runnel {

Value NumberState::Get() const {
  switch (type) {
    case Type::kInt:
      return Value::Int(bits);
    case Type::kUint:
      return Value::Uint(static_cast<std::uint64_t>(bits));
    case Type::kDouble:
      return Value::Double(std::bit_cast<double>(bits));
    default:
      return Value::Null();
  }
}

void NumberState::Save(ByteWriter& writer) const {
  writer.U8(static_cast<std::uint8_t>(type));
  writer.U64(static_cast<std::uint64_t>(bits));
}

void NumberState::Load(ByteReader& reader) {
  Clear();
  type = static_cast<Type>(reader.U8());
  bits = static_cast<std::int64_t>(reader.U64());
}

}  // namespace runnel
