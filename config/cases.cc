#include "config/cases.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "config/json_text.h"
#include "pipelines/plan/endpoints.h"
#include "pipelines/spec/schema.h"

namespace runnel {
namespace {

constexpr Time kDefaultStart = std::chrono::sys_days(std::chrono::year(2024) / 1 / 1);

struct SendOptions {
  std::string topic;
  Duration at{};
  Node json;
  std::optional<std::string> payload;
  std::optional<std::string> base64;
  static void Describe(Schema<SendOptions>& schema) {
    schema.Required("topic", &SendOptions::topic, "Where the message is published.").NotEmpty();
    schema.Optional("at", &SendOptions::at, "When, after the start of the test.");
    schema.Optional("json", &SendOptions::json, "The payload, as JSON.");
    schema.Optional("payload", &SendOptions::payload, "The payload, as text.");
    schema.Optional("base64", &SendOptions::base64, "The payload, as bytes.");
  }
};

struct ExpectOptions {
  std::optional<std::string> topic;
  Node json;
  std::optional<std::string> payload;
  std::optional<std::string> dead_letter;
  static void Describe(Schema<ExpectOptions>& schema) {
    schema.Optional("topic", &ExpectOptions::topic, "Where the result is published.");
    schema.Optional("json", &ExpectOptions::json, "Fields of the result; it may have more.");
    schema.Optional("payload", &ExpectOptions::payload, "The whole payload, as text.");
    schema.Optional("dead_letter", &ExpectOptions::dead_letter,
                    "The reason of a dead letter, instead of a topic.");
  }
};

struct TestOptions {
  std::string name;
  std::vector<SendOptions> send;
  std::vector<ExpectOptions> expect;
  std::optional<Duration> until;
  std::vector<std::pair<std::string, std::int64_t>> ledger;
  static void Describe(Schema<TestOptions>& schema) {
    schema.Optional("name", &TestOptions::name, "What the test shows.");
    schema.Required("send", &TestOptions::send, "Messages, in order.");
    schema.Required("expect", &TestOptions::expect, "Results, per topic in order.");
    schema.Optional("until", &TestOptions::until, "When the test ends, after its start.");
    schema.Optional("ledger", &TestOptions::ledger,
                    "Figures of the ledger, such as `{ late: 1 }`.");
  }
};

struct AllTests {
  std::vector<TestOptions> tests;
  static void Describe(Schema<AllTests>& schema) {
    schema.Whole(&AllTests::tests, "Cases for `runnel test`.");
  }
};

std::optional<std::string> FromBase64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int have = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes.push_back(static_cast<char>(bits >> have & 0xff));
  }
  return bytes;
}

class Reader final {
 public:
  Reader(const Node& root, Diagnostics& diagnostics)
      : root_(root), diagnostics_(diagnostics), filter_(SourceTopicOf(root)) {}

  std::optional<std::vector<Case>> Run() {
    std::vector<Case> cases;
    const Node* node = root_.Find("tests");
    if (node == nullptr) return cases;
    const std::optional<AllTests> all = Read<AllTests>(*node, "tests", diagnostics_);
    if (!all.has_value()) return std::nullopt;
    for (std::size_t i = 0; i < all->tests.size(); ++i) {
      cases.push_back(ReadCase(all->tests[i], node->items[i], i));
    }
    if (!ok_) return std::nullopt;
    return cases;
  }

 private:
  void Fail(const Position& position, std::string message) {
    diagnostics_.Error(position, std::move(message));
    ok_ = false;
  }

  Case ReadCase(const TestOptions& options, const Node& node, std::size_t index) {
    Case test;
    test.name = options.name.empty() ? "test " + std::to_string(index + 1) : options.name;
    test.position = node.position;
    test.until = options.until;
    test.ledger = options.ledger;
    test.start = kDefaultStart;
    bool has_start = false;
    const Node& send = *node.Find("send");
    for (std::size_t i = 0; i < options.send.size(); ++i) {
      test.send.push_back(ReadMessage(options.send[i], send.items[i]));
      if (i > 0 && test.send[i].at < test.send[i - 1].at) {
        Fail(send.items[i].position, "`at` goes back: messages stand in the order of time");
      }
      const std::optional<Time> time = TimeOf(options.send[i].json);
      if (has_start || !time.has_value()) continue;
      test.start = *time - options.send[i].at;
      has_start = true;
    }
    const Node& expect = *node.Find("expect");
    for (std::size_t i = 0; i < options.expect.size(); ++i) {
      test.expect.push_back(ReadResult(options.expect[i], expect.items[i]));
    }
    for (const Node::Member& member : node.members) {
      if (member.key == "expect") test.expect_key = member.position;
    }
    return test;
  }

  CaseMessage ReadMessage(const SendOptions& options, const Node& node) {
    CaseMessage message;
    message.topic = options.topic;
    message.at = options.at;
    if (!filter_.empty() && !TopicMatches(filter_, options.topic)) {
      Fail(node.Find("topic")->position, "the source has the topic `" + filter_ +
                                             "`: it gets no message with `" + options.topic + "`");
    }
    const int given = (options.json.kind != Node::Kind::kNull ? 1 : 0) +
                      (options.payload.has_value() ? 1 : 0) + (options.base64.has_value() ? 1 : 0);
    if (given != 1) {
      Fail(node.position, "a message has one of `json`, `payload` and `base64`");
    } else if (options.payload.has_value()) {
      message.payload = *options.payload;
    } else if (options.base64.has_value()) {
      const std::optional<std::string> bytes = FromBase64(*options.base64);
      if (!bytes.has_value()) Fail(node.position, "`base64` is not base64");
      message.payload = bytes.value_or("");
    } else {
      message.payload = JsonText(options.json);
    }
    return message;
  }

  CaseResult ReadResult(const ExpectOptions& options, const Node& node) {
    CaseResult result;
    result.topic = options.topic.value_or("");
    result.json = options.json;
    result.payload = options.payload.value_or("");
    result.dead_letter = options.dead_letter.value_or("");
    const bool json = options.json.kind != Node::Kind::kNull;
    if (options.topic.has_value() == options.dead_letter.has_value()) {
      Fail(node.position, "a result has `topic` or `dead_letter`");
    } else if (options.topic.has_value() && json == options.payload.has_value()) {
      Fail(node.position, "a result has `json` or `payload`");
    } else if (json && !options.json.IsMap()) {
      Fail(node.position, "`json` of a result is a map of its fields");
    }
    return result;
  }

  // The event time of a message, where the pipeline names one.
  std::optional<Time> TimeOf(const Node& json) const {
    const Node* timestamp = root_.Find("timestamp");
    if (timestamp == nullptr || !json.IsMap()) return std::nullopt;
    const Node* field = timestamp->IsMap() ? timestamp->Find("field") : timestamp;
    const Node* unit = timestamp->IsMap() ? timestamp->Find("unit") : nullptr;
    const Node* value = field == nullptr ? nullptr : json.Find(field->text);
    if (value == nullptr || !value->IsScalar()) return std::nullopt;
    if (value->quoted) return ParseTimestamp(value->text);
    double number = 0;
    const char* end = value->text.data() + value->text.size();
    if (std::from_chars(value->text.data(), end, number).ptr != end) {
      return ParseTimestamp(value->text);
    }
    const std::string_view name = unit == nullptr ? "ms" : std::string_view(unit->text);
    const double factor = name == "s" ? 1e6 : name == "us" ? 1 : name == "ns" ? 1e-3 : 1e3;
    if (!(std::fabs(number * factor) < 9e17)) return std::nullopt;
    return TimeFromMicroseconds(static_cast<std::int64_t>(number * factor));
  }

  const Node& root_;
  Diagnostics& diagnostics_;
  std::string filter_;  // of the source
  bool ok_ = true;
};

}  // namespace

std::vector<OptionDoc> DescribeTest() { return Describe<TestOptions>(); }

std::optional<std::vector<Case>> ReadCases(const Node& root, Diagnostics& diagnostics) {
  return Reader(root, diagnostics).Run();
}

}  // namespace runnel
