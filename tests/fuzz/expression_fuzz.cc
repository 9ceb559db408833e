// Arbitrary text as an expression: compiling says what is wrong or gives an expression,
// and evaluating it over any record ends, within its limits, twice with the same value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pipelines/codecs/json.h"
#include "pipelines/expr/expression.h"

namespace {

using namespace runnel;

std::string Evaluated(const Expression& expression, const Record& record, Arena& arena) {
  arena.Reset();
  const Value value = expression.Evaluate(record, arena);
  if (value.IsMissing()) std::abort();
  if (value.IsError()) return value.Reason();
  // What was said of its type before there was a record.
  if (!expression.possible().Has(value.type())) std::abort();
  std::string json;
  AppendJson(value, json);
  return json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FieldTable fields;
  const std::uint16_t temp = fields.Intern("temp");
  const std::uint16_t device = fields.Intern("device");
  const std::uint16_t count = fields.Intern("count");
  Scope scope;
  scope.fields = &fields;
  Diagnostics diagnostics;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::unique_ptr<Expression> expression =
      Expression::Compile(text, {"fuzz", 1, 1}, scope, diagnostics);
  if (expression == nullptr) {
    if (!diagnostics.has_errors()) std::abort();
    return 0;
  }
  Record record(fields);
  record.Set(temp, Value::Double(21.5));
  record.Set(device, Value::String("a-17"));
  record.Set(count, Value::Int(INT64_MAX));
  Arena arena(4096);
  if (Evaluated(*expression, record, arena) != Evaluated(*expression, record, arena)) std::abort();
  return 0;
}
