#include "pipelines/aggregates/aggregate.h"

namespace runnel {

const char* Aggregate::Refuses(const Value& value) const {
  return value.IsNumber() ? nullptr : "not_a_number";
}

}  // namespace runnel
