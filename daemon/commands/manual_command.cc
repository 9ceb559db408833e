// `runnel list`, `describe`, `schema`, `reference` and `try`: the language, at the terminal.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "config/json_schema.h"
#include "config/reference.h"
#include "config/time_zone.h"
#include "daemon/commands/commands.h"
#include "pipelines/codecs/json.h"
#include "pipelines/expr/expression.h"

namespace runnel {
namespace {

constexpr int kFailed = 1;
constexpr int kWrong = 2;

const Registry& All() {
  static const Registry registry = [] {
    Registry all;
    RegisterAll(all);
    return all;
  }();
  return registry;
}

int Wrong(const std::string& message, const std::string& hint) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  if (!hint.empty()) std::fprintf(stderr, "  hint: %s\n", hint.c_str());
  return kWrong;
}

std::string Hint(std::string_view word, const std::vector<std::string_view>& names) {
  const std::string_view meant = DidYouMean(word, names);
  return meant.empty() ? "see `runnel list`" : "did you mean `" + std::string(meant) + "`?";
}

int Usage(const CommandLine& line, std::size_t most) {
  return line.pipelines.size() <= most
             ? 0
             : Wrong("unexpected `" + line.pipelines[most] + "`", "see `runnel --help`");
}

}  // namespace

int ListCommand(const CommandLine& line) {
  if (const int wrong = Usage(line, 1); wrong != 0) return wrong;
  const std::string kind = line.pipelines.empty() ? "" : line.pipelines[0];
  const std::string text = line.json ? ListJson(All(), kind) : ListText(All(), kind);
  if (ListText(All(), kind).empty()) {
    return Wrong("there are no `" + kind + "` to list", Hint(kind, ListKinds()));
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}

int DescribeCommand(const CommandLine& line) {
  if (line.pipelines.empty()) return Wrong("`describe` needs a name", "see `runnel list`");
  for (const std::string& name : line.pipelines) {
    const std::string text = DescribeText(All(), name);
    if (text.empty()) {
      const std::vector<std::string> names = AllNames(All());
      return Wrong("there is no operator, aggregate, codec or function `" + name + "`",
                   Hint(name, {names.begin(), names.end()}));
    }
    std::fputs(text.c_str(), stdout);
  }
  return 0;
}

int SchemaCommand(const CommandLine& line) {
  if (const int wrong = Usage(line, 1); wrong != 0) return wrong;
  const std::string which = line.pipelines.empty() ? "pipeline" : line.pipelines[0];
  if (which != "pipeline" && which != "runnel") {
    return Wrong(
        "there is no schema of `" + which + "`",
        "`runnel schema` is that of pipelines, `runnel schema runnel` that of runnel.yaml");
  }
  std::fputs((which == "pipeline" ? PipelineSchema(All()) : DeviceSchema()).c_str(), stdout);
  return 0;
}

int ReferenceCommand(const CommandLine& line) {
  if (const int wrong = Usage(line, 0); wrong != 0) return wrong;
  std::fputs(ReferenceText(All()).c_str(), stdout);
  return 0;
}

// Whether the expression is wrong for what this record has; then that is printed.
bool Explained(const std::string& text, const Record& record, Scope scope,
               Diagnostics& diagnostics) {
  std::vector<std::string> names;
  std::vector<Type> types;
  for (const Record::Entry& entry : record.entries()) {
    names.emplace_back(record.NameOf(entry));
    types.push_back(record.ValueOf(entry).type());
  }
  if (names.empty()) return false;
  scope.known = &names;
  scope.types = &types;
  if (Expression::Compile(text, {"expression", 1, 1}, scope, diagnostics) != nullptr) return false;
  std::fputs(diagnostics.Format().c_str(), stderr);
  return true;
}

int TryCommand(const CommandLine& line) {
  if (line.pipelines.empty()) {
    return Wrong("`try` needs an expression",
                 "runnel try 'temp * 9 / 5 + 32' --record '{\"temp\": 21.5}'");
  }
  if (const int wrong = Usage(line, 1); wrong != 0) return wrong;
  Diagnostics diagnostics;
  const std::string& text = line.pipelines[0];
  diagnostics.AddSource("expression", text);
  FieldTable fields;
  Scope scope;
  scope.fields = &fields;
  const ZoneTable zones = ZonesOf(text, kZoneFolder);
  scope.zones = &zones;
  const auto expression = Expression::Compile(text, {"expression", 1, 1}, scope, diagnostics);
  if (expression == nullptr) {
    std::fputs(diagnostics.Format().c_str(), stderr);
    return kWrong;
  }
  Record record(fields);
  Arena arena(1 << 20);
  const std::string payload = line.record.empty() ? "{}" : line.record;
  const std::string padded = payload + std::string(Decoder::kPadding, '\0');
  const Outcome decoded =
      MakeJsonDecoder(fields, Unmentioned::kKeep)
          ->Decode(std::string_view(padded).substr(0, payload.size()), arena, record);
  if (!decoded.ok()) {
    return Wrong("the record is not a JSON object: " + std::string(decoded.reason()), "");
  }
  record.topic = line.topic;
  const Value value = expression->Evaluate(record, arena);
  if (value.IsError()) {
    // With the types of this record there may be more to say.
    if (Explained(text, record, scope, diagnostics)) return kFailed;
    std::fprintf(stderr, "error: %s\n", value.Reason());
    return kFailed;
  }
  std::string out;
  if (value.type() == Type::kType) {
    out = std::string(TypeName(value.AsType()));
  } else if (value.type() == Type::kDouble && !std::isfinite(value.AsDouble())) {
    out = std::isnan(value.AsDouble()) ? "NaN" : value.AsDouble() > 0 ? "Infinity" : "-Infinity";
    out += ", null in JSON";
  } else {
    AppendJson(value, out);
  }
  std::printf("%s  (%s)\n", out.c_str(), std::string(TypeName(value.type())).c_str());
  return 0;
}

}  // namespace runnel
