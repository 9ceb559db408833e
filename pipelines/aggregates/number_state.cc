#include "pipelines/aggregates/number_state.h"

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

}  // namespace runnel
