#include "tests/conformance/case.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "config/time_zone.h"
#include "pipelines/expr/expression.h"

namespace runnel::conformance {
namespace {

constexpr std::size_t kArenaBytes = 1 << 20;

struct Skip {
  std::string_view part;
  const char* reason;
};
constexpr Skip kSkips[] = {
#define SKIP(part, reason) {part, reason},
#include "tests/conformance/skips.def"
#undef SKIP
};

// What a test gives as values, made of arena memory.
class Values final {
 public:
  explicit Values(Arena& arena) : arena_(arena) {}

  // The value of a message cel.expr.Value; nothing for what runnel does not have.
  std::optional<Value> Make(const Field& message) {
    if (message.fields.empty()) return std::nullopt;
    const Field& field = message.fields.front();
    if (field.name == "null_value") return Value::Null();
    if (field.name == "bool_value") return Value::Bool(field.scalar == "true");
    if (field.name == "int64_value")
      return Value::Int(std::strtoll(field.scalar.c_str(), nullptr, 10));
    if (field.name == "uint64_value") {
      return Value::Uint(std::strtoull(field.scalar.c_str(), nullptr, 10));
    }
    if (field.name == "double_value")
      return Value::Double(std::strtod(field.scalar.c_str(), nullptr));
    if (field.name == "string_value") return Value::String(field.scalar);
    if (field.name == "bytes_value") return Value::Bytes(field.scalar);
    if (field.name == "list_value") return List(field);
    if (field.name == "map_value") return Map(field);
    if (field.name == "type_value") return NamedType(field.scalar);
    if (field.name == "object_value") return Object(field);
    return std::nullopt;
  }

 private:
  std::optional<Value> List(const Field& field) {
    Value* const items = arena_.AllocateArray<Value>(field.fields.size());
    std::size_t count = 0;
    for (const Field& item : field.fields) {
      const std::optional<Value> value = Make(item);
      if (!value.has_value()) return std::nullopt;
      items[count++] = *value;
    }
    return Value::List({items, count});
  }
  std::optional<Value> Map(const Field& field) {
    MapEntry* const entries = arena_.AllocateArray<MapEntry>(field.fields.size());
    std::size_t count = 0;
    for (const Field& entry : field.fields) {
      const Field* const key = entry.Find("key");
      const Field* const content = entry.Find("value");
      if (key == nullptr || content == nullptr) return std::nullopt;
      const std::optional<Value> name = Make(*key);
      const std::optional<Value> value = Make(*content);
      if (!name.has_value() || !value.has_value()) return std::nullopt;
      entries[count++] = {*name, *value};
    }
    return Value::Map({entries, count});
  }
  static std::optional<Value> NamedType(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(Type::kType); ++i) {
      if (TypeName(static_cast<Type>(i)) == name) return Value::OfType(static_cast<Type>(i));
    }
    return std::nullopt;
  }
  static std::optional<Value> Object(const Field& field) {
    if (field.fields.empty()) return std::nullopt;
    const Field& content = field.fields.front();
    const std::int64_t seconds =
        std::strtoll(std::string(content.Text("seconds")).c_str(), nullptr, 10);
    const auto nanoseconds = static_cast<std::int32_t>(
        std::strtol(std::string(content.Text("nanos")).c_str(), nullptr, 10));
    if (content.name.ends_with("/google.protobuf.Timestamp]")) {
      return Value::Timestamp(seconds, nanoseconds);
    }
    if (content.name.ends_with("/google.protobuf.Duration]")) {
      return Value::Duration(seconds, nanoseconds);
    }
    return std::nullopt;
  }

  Arena& arena_;
};

// Equal, and of the same types all the way down; NaN equals itself.
bool Same(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  if (a.type() == Type::kDouble && std::isnan(a.AsDouble())) return std::isnan(b.AsDouble());
  if (a.type() == Type::kList) {
    return std::equal(a.AsList().begin(), a.AsList().end(), b.AsList().begin(), b.AsList().end(),
                      Same);
  }
  if (a.type() != Type::kMap) return Equal(a, b);
  if (a.AsMap().size() != b.AsMap().size()) return false;
  return std::all_of(a.AsMap().begin(), a.AsMap().end(), [&b](const MapEntry& entry) {
    return std::any_of(b.AsMap().begin(), b.AsMap().end(), [&entry](const MapEntry& other) {
      return Same(entry.key, other.key) && Same(entry.value, other.value);
    });
  });
}

std::string Quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
    }
  }
  return out + "\"";
}

// The value as CEL would write it.
std::string Written(const Value& value) {
  char digits[32];
  std::string out;
  switch (value.type()) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return value.AsBool() ? "true" : "false";
    case Type::kInt:
      return std::to_string(value.AsInt());
    case Type::kUint:
      return std::to_string(value.AsUint()) + "u";
    case Type::kDouble:
      return "double " +
             std::string(digits, std::to_chars(digits, digits + 32, value.AsDouble()).ptr);
    case Type::kString:
      return Quoted(value.AsString());
    case Type::kBytes:
      return "b" + Quoted(value.AsBytes());
    case Type::kList:
      for (const Value& item : value.AsList()) out += (out.empty() ? "" : ", ") + Written(item);
      return "[" + out + "]";
    case Type::kMap:
      for (const MapEntry& entry : value.AsMap()) {
        out += (out.empty() ? "" : ", ") + Written(entry.key) + ": " + Written(entry.value);
      }
      return "{" + out + "}";
    case Type::kTimestamp:
    case Type::kDuration:
      return std::string(TypeName(value.type())) + " " + std::to_string(value.Seconds()) + "s " +
             std::to_string(value.Nanoseconds()) + "ns";
    case Type::kType:
      return "type " + std::string(TypeName(value.AsType()));
    case Type::kError:
      return std::string("error ") + value.Reason();
    case Type::kMissing:
      break;
  }
  return "missing";
}

Type PrimitiveType(std::string_view name) {
  if (name == "BOOL") return Type::kBool;
  if (name == "INT64") return Type::kInt;
  if (name == "UINT64") return Type::kUint;
  if (name == "DOUBLE") return Type::kDouble;
  if (name == "STRING") return Type::kString;
  return name == "BYTES" ? Type::kBytes : Type::kMissing;
}

// The static type of a declaration; dynamic where runnel has none.
Type DeclaredType(const Field& declaration) {
  const Field* const ident = declaration.Find("ident");
  const Field* const type = ident == nullptr ? nullptr : ident->Find("type");
  if (type == nullptr || type->fields.empty()) return Type::kMissing;
  const Field& kind = type->fields.front();
  if (kind.name == "primitive") return PrimitiveType(kind.scalar);
  if (kind.name == "list_type") return Type::kList;
  if (kind.name == "map_type") return Type::kMap;
  if (kind.name != "well_known") return Type::kMissing;
  return kind.scalar == "TIMESTAMP"  ? Type::kTimestamp
         : kind.scalar == "DURATION" ? Type::kDuration
                                     : Type::kMissing;
}

// One test with what it needs: names, types, a record.
class Run final {
 public:
  explicit Run(const Field& test) : test_(test), arena_(kArenaBytes), values_(arena_) {}

  Outcome Execute() {
    const std::string_view text = test_.Text("expr");
    for (const Skip& skip : kSkips) {
      if (text.find(skip.part) != std::string_view::npos) return Skipped(skip.reason);
    }
    if (test_.Find("typed_result") != nullptr || test_.Text("check_only") == "true") {
      return Skipped("checked types");
    }
    if (test_.Find("unknown") != nullptr || test_.Find("any_unknowns") != nullptr) {
      return Skipped("unknown values");
    }
    Declare();
    if (!Bind()) return Skipped("bindings with protocol buffers");
    const Field* const expected = test_.Find("value");
    Value wanted = Value::Bool(true);
    if (expected != nullptr) {
      const std::optional<Value> value = values_.Make(*expected);
      if (!value.has_value()) return Skipped("a value of protocol buffers");
      wanted = *value;
    }
    return Judge(text, wanted, test_.Find("eval_error") != nullptr);
  }

 private:
  static Outcome Skipped(const char* reason) { return {Verdict::kSkipped, {}, reason}; }

  void Declare() {
    for (const Field& field : test_.fields) {
      if (field.name != "type_env") continue;
      known_.emplace_back(field.Text("name"));
      types_.push_back(DeclaredType(field));
    }
  }
  bool Bind() {
    for (const Field& field : test_.fields) {
      if (field.name != "bindings") continue;
      const Field* const outer = field.Find("value");
      const Field* const inner = outer == nullptr ? nullptr : outer->Find("value");
      const std::optional<Value> value = inner == nullptr ? std::nullopt : values_.Make(*inner);
      if (!value.has_value()) return false;
      const std::string name(field.Text("key"));
      bindings_.emplace_back(name, *value);
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      known_.push_back(name);
      types_.push_back(Type::kMissing);
    }
    return true;
  }

  Outcome Judge(std::string_view text, const Value& wanted, bool error_wanted) {
    const std::string expected = error_wanted ? "an error" : Written(wanted);
    Scope scope;
    scope.fields = &table_;
    scope.known = &known_;
    scope.types = &types_;
    const ZoneTable zones = ZonesOf(text, kZoneFolder);
    scope.zones = &zones;
    scope.container = test_.Text("container");
    if (test_.Text("disable_check") == "true") scope.typing = Scope::Typing::kDynamic;
    Diagnostics diagnostics;
    const auto expression = Expression::Compile(text, {"expr", 1, 1}, scope, diagnostics);
    if (expression == nullptr) {
      const auto verdict = error_wanted ? Verdict::kPassed : Verdict::kFailed;
      return {verdict, expected, diagnostics.All().front().message};
    }
    for (const auto& binding : bindings_) table_.Intern(binding.first);
    Record record(table_);
    for (const auto& [name, value] : bindings_) record.Set(table_.Intern(name), value);
    const Value value = expression->Evaluate(record, arena_);
    const bool passed = error_wanted ? value.IsError() : Same(value, wanted);
    return {passed ? Verdict::kPassed : Verdict::kFailed, expected, Written(value)};
  }

  const Field& test_;
  Arena arena_;
  Values values_;
  FieldTable table_;
  std::vector<std::string> known_;
  std::vector<Type> types_;
  std::vector<std::pair<std::string, Value>> bindings_;
};

}  // namespace

Outcome RunCase(const Field& test) { return Run(test).Execute(); }

}  // namespace runnel::conformance
