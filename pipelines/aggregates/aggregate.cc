#include "pipelines/aggregates/aggregate.h"

namespace runnel {

const char* Aggregate::Refuses(const Value* values) const {
  return values[0].IsNumber() ? nullptr : "not_a_number";
}

std::string_view AlgebraName(Algebra algebra) {
  switch (algebra) {
    case Algebra::kDistributive:
      return "distributive";
    case Algebra::kAlgebraic:
      return "algebraic";
    case Algebra::kSketch:
      return "sketch";
    case Algebra::kOrdered:
      return "ordered";
  }
  return "";
}

}  // namespace runnel
