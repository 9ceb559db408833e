#include "config/json_text.h"

#include <charconv>
#include <cmath>

#include "pipelines/base/arena.h"
#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

bool IsJsonNumber(std::string_view text) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i > begin;
  };
  const bool zero = i < text.size() && text[i] == '0';
  const std::size_t begin = i;
  if (!digits() || (zero && i > begin + 1)) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

bool IsPlain(const Node& node) {
  if (node.quoted) return false;
  return node.text == "null" || node.text == "true" || node.text == "false" ||
         IsJsonNumber(node.text);
}

void Append(const Node& node, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out += "null";
      return;
    case Node::Kind::kScalar:
      if (IsPlain(node)) {
        out += node.text;
      } else {
        AppendJsonString(node.text, out);
      }
      return;
    case Node::Kind::kSequence:
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ',';
        Append(node.items[i], out);
      }
      out += ']';
      return;
    case Node::Kind::kMap:
      out += '{';
      for (std::size_t i = 0; i < node.members.size(); ++i) {
        if (i > 0) out += ',';
        AppendJsonString(node.members[i].key, out);
        out += ':';
        Append(node.members[i].value, out);
      }
      out += '}';
  }
}

bool Same(const Node& expected, const Value& found);

bool SameScalar(const Node& expected, const Value& found) {
  if (expected.kind == Node::Kind::kNull || (!expected.quoted && expected.text == "null")) {
    return found.IsNull() || found.IsMissing();
  }
  if (!IsPlain(expected)) {
    return found.type() == Type::kString && found.AsString() == expected.text;
  }
  if (expected.text == "true" || expected.text == "false") {
    return found.type() == Type::kBool && found.AsBool() == (expected.text == "true");
  }
  if (!found.IsNumber()) return false;
  double number = 0;
  std::from_chars(expected.text.data(), expected.text.data() + expected.text.size(), number);
  const double difference = std::fabs(number - found.ToDouble());
  return difference <= 1e-9 * std::max(std::fabs(number), std::fabs(found.ToDouble()));
}

bool SameList(const Node& expected, const Value& found) {
  if (found.type() != Type::kList || found.AsList().size() != expected.items.size()) return false;
  for (std::size_t i = 0; i < expected.items.size(); ++i) {
    if (!Same(expected.items[i], found.AsList()[i])) return false;
  }
  return true;
}

bool SameMap(const Node& expected, const Value& found) {
  if (found.type() != Type::kMap || found.AsMap().size() != expected.members.size()) return false;
  for (const Node::Member& member : expected.members) {
    if (!Same(member.value, Lookup(found, Value::String(member.key)))) return false;
  }
  return true;
}

bool Same(const Node& expected, const Value& found) {
  if (expected.IsSequence()) return SameList(expected, found);
  return expected.IsMap() ? SameMap(expected, found) : SameScalar(expected, found);
}

}  // namespace

std::string JsonText(const Node& node) {
  std::string text;
  Append(node, text);
  return text;
}

std::string CompareJson(const Node& expected, std::string_view payload) {
  const FieldTable none;
  Record record(none);
  Arena arena(4 * payload.size() + (64 << 10));
  std::string padded(payload);
  padded.append(Decoder::kPadding, '\0');
  const auto decoder = MakeJsonDecoder(none, Unmentioned::kKeep);
  const std::string_view text = std::string_view(padded).substr(0, payload.size());
  if (!decoder->Decode(text, arena, record).ok()) return "the payload is not a JSON object\n";
  std::string difference;
  for (const Node::Member& member : expected.members) {
    Value found;
    for (const Record::Entry& entry : record.entries()) {
      if (entry.name == member.key) found = entry.value;
    }
    if (Same(member.value, found)) continue;
    difference += "`" + member.key + "`: expected " + JsonText(member.value) + ", got ";
    if (found.IsMissing()) {
      difference += "no such field";
    } else {
      AppendJson(found, difference);
    }
    difference += "\n";
  }
  return difference;
}

}  // namespace runnel
