#include "pipelines/plan/topic_template.h"

#include <algorithm>

#include "pipelines/base/utf8.h"
#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

constexpr std::size_t kTopicMax = 65'535;

void AppendPercent(std::string_view bytes, std::string& topic) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    topic += '%';
    topic += kHex[byte >> 4];
    topic += kHex[byte & 15];
  }
}

// What has a meaning in topics, or would make a broker end the connection, byte by byte.
void AppendEncoded(std::string_view text, std::string& topic) {
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool has_meaning = c == '/' || c == '+' || c == '#' || c == '%';
    const std::size_t unfit = has_meaning ? 1 : UnfitForTopic(text.substr(at));
    if (unfit == 0) {
      topic += c;
      ++at;
      // The rest of a longer character.
      for (; at < text.size() && (text[at] & 0xc0) == 0x80; ++at) topic += text[at];
    } else {
      AppendPercent(text.substr(at, unfit), topic);
      at += unfit;
    }
  }
}

const char* AppendValue(const Value& value, std::string& topic) {
  switch (value.type()) {
    case Type::kString:
      AppendEncoded(value.AsString(), topic);
      return nullptr;
    case Type::kInt:
    case Type::kUint:
    case Type::kDouble:
    case Type::kBool:
      AppendJson(value, topic);
      return nullptr;
    case Type::kMissing:
      return "topic_field_is_missing";
    case Type::kNull:
      return "topic_field_is_null";
    default:
      return "topic_field_is_not_a_scalar";
  }
}

bool HasEmptyLevel(std::string_view topic) {
  return topic.empty() || topic.front() == '/' || topic.back() == '/' ||
         topic.find("//") != std::string_view::npos;
}

}  // namespace

std::optional<TopicTemplate> TopicTemplate::Compile(std::string_view text, const Position& position,
                                                    FieldTable& fields, const KnownFields* known,
                                                    Diagnostics& diagnostics) {
  TopicTemplate result;
  const auto fail = [&](std::size_t at, std::string message, std::string hint = {}) {
    Position place = position;
    place.column += static_cast<int>(at);
    diagnostics.Error(place, std::move(message), std::move(hint));
    return std::nullopt;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find('{', at);
    const std::string_view literal = text.substr(at, open - at);
    if (const std::size_t bad = literal.find_first_of("+#}"); bad != std::string_view::npos) {
      return fail(at + bad,
                  "`" + std::string(1, literal[bad]) + "` cannot stand in the topic of a sink");
    }
    if (IsUnfitTopic(literal)) {
      return fail(at, "a topic has no control characters and only characters of Unicode");
    }
    if (!literal.empty()) result.parts_.push_back({std::string(literal), -1});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return fail(open, "a `{` without its `}`");
    const std::string name(text.substr(open + 1, close - open - 1));
    if (name.empty()) return fail(open, "`{}` names no field");
    if (known != nullptr && !known->Has(name)) {
      const std::vector<std::string_view> names(known->names.begin(), known->names.end());
      const std::string_view meant = DidYouMean(name, names);
      return fail(open + 1, "there is no field `" + name + "` here",
                  meant.empty() ? "there are " + internal::ListOfNames(names)
                                : "did you mean `" + std::string(meant) + "`?");
    }
    result.parts_.push_back({name, fields.Intern(name)});
    at = close + 1;
  }
  if (result.parts_.empty()) return fail(0, "the topic is empty");
  if (result.parts_.size() == 1 && result.parts_[0].field < 0 &&
      HasEmptyLevel(result.parts_[0].literal)) {
    return fail(0, "the topic has an empty level");
  }
  return result;
}

const char* TopicTemplate::Render(const Record& record, std::string& topic) const {
  topic.clear();
  for (const Part& part : parts_) {
    if (part.field < 0) {
      topic += part.literal;
      continue;
    }
    const Value& value = record.Get(static_cast<std::uint16_t>(part.field));
    if (const char* reason = AppendValue(value, topic)) return reason;
  }
  if (HasEmptyLevel(topic)) return "topic_level_is_empty";
  return topic.size() > kTopicMax ? "topic_too_long" : nullptr;
}

}  // namespace runnel
