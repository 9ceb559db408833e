// WindowOptions: the options of a window as they stand in a file.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

struct HoppingOptions {
  Duration size{};
  Duration every{};
  static void Describe(Schema<HoppingOptions>& schema) {
    schema.Required("size", &HoppingOptions::size, "Length of a window; a multiple of `every`.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("1m");
    schema.Required("every", &HoppingOptions::every, "From one window's end to the next.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10s");
  }
};

struct CountOptions {
  std::int64_t size = 0;
  std::optional<std::int64_t> every;
  static void Describe(Schema<CountOptions>& schema) {
    schema.Required("size", &CountOptions::size, "Records of a window.").Between(1, 1'000'000'000);
    schema
        .Optional("every", &CountOptions::every,
                  "Records from one result to the next; `size` is a multiple of it, and the "
                  "default.")
        .Between(1, 1'000'000'000);
    schema.Shorthand("size");
  }
};

struct GlobalOptions {
  std::optional<Duration> every;
  bool on_change = false;
  std::optional<std::string> when;
  bool reset = false;
  static void Describe(Schema<GlobalOptions>& schema) {
    schema
        .Optional("every", &GlobalOptions::every,
                  "A result every so often by the time of arrivals, where one is new.")
        .AtLeast(std::chrono::milliseconds(10));
    schema.Optional("on_change", &GlobalOptions::on_change,
                    "A result whenever a record changes an aggregate.");
    schema
        .Optional("when", &GlobalOptions::when,
                  "A result after each record for which this is true of it.")
        .Example("n % 100 == 0");
    schema.Optional("reset", &GlobalOptions::reset, "Begin anew after each result.");
  }
};

struct WindowOptions {
  std::optional<Duration> tumbling;
  std::optional<HoppingOptions> hopping;
  std::optional<Duration> sliding;
  std::optional<Duration> session;
  std::optional<CountOptions> count;
  std::optional<GlobalOptions> global;
  Node key;
  std::optional<Duration> offset;
  std::optional<std::string> timezone;
  std::optional<std::string> emit;
  std::int64_t fill = 0;
  Duration lateness{};
  std::optional<Duration> idle;
  Duration max_ahead = std::chrono::hours(1);
  Ahead ahead = Ahead::kReject;
  std::int64_t keys_max = 10'000;
  KeysFull keys_full = KeysFull::kReject;
  std::optional<std::int64_t> windows_max;
  std::vector<std::pair<std::string, Node>> aggregate;

  static void Describe(Schema<WindowOptions>& schema) {
    DescribeKinds(schema);
    schema
        .Optional("key", &WindowOptions::key,
                  "A field or expression, or a list of them; each key has windows of its own.")
        .Example("device");
    schema
        .Required("aggregate", &WindowOptions::aggregate,
                  "Names and their aggregates; `{aggregate, filter}` for one that sees only some "
                  "records.")
        .NotEmpty()
        .Example("{ n: count(), mean: mean(temp) }");
    schema.Optional("lateness", &WindowOptions::lateness,
                    "How far a key's records may come behind its latest one, in event time.");
    schema
        .Optional("idle", &WindowOptions::idle,
                  "Silence of a key after which its windows close; in event time, without it, the "
                  "window plus lateness, at least 30s.")
        .AtLeast(std::chrono::milliseconds(1));
    schema.Optional("max_ahead", &WindowOptions::max_ahead,
                    "How far an event time may be ahead of the arrival.");
    schema.Optional("ahead", &WindowOptions::ahead, "What happens to a record further ahead.")
        .OneOf({{"reject", Ahead::kReject}, {"clamp", Ahead::kClamp}});
    schema.Optional("keys_max", &WindowOptions::keys_max, "Keys that a task remembers.")
        .Between(1, 10'000'000);
    schema.Optional("keys_full", &WindowOptions::keys_full, "What happens to one key more.")
        .OneOf({{"reject", KeysFull::kReject}, {"evict_oldest", KeysFull::kEvictOldest}});
    schema
        .Optional("windows_max", &WindowOptions::windows_max,
                  "Open windows of one key (of hopping ones their pieces, of sliding ones their "
                  "records); without it 64, at least twice what a window is made of, of sliding "
                  "ones 1000.")
        .Between(1, 10'000);
  }

  static void DescribeKinds(Schema<WindowOptions>& schema) {
    schema
        .Optional("tumbling", &WindowOptions::tumbling,
                  "Windows of this length, one behind the other.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10s");
    schema.Optional("hopping", &WindowOptions::hopping, "Windows of one length that overlap.")
        .Example("{ size: 10m, every: 1m }");
    schema
        .Optional("sliding", &WindowOptions::sliding,
                  "With each record the result of this time up to the key's latest one.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("1m");
    schema
        .Optional("session", &WindowOptions::session,
                  "Records of a key that lie less than this apart; `end` is so long behind the "
                  "last.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("30s");
    schema.Optional("count", &WindowOptions::count, "So many records of a key.").Example("100");
    schema
        .Optional("global", &WindowOptions::global, "One window without end; a trigger says when.")
        .Example("{ every: 1m }");
    schema
        .Optional("offset", &WindowOptions::offset,
                  "Where windows begin after 1970-01-01T00:00Z, or after midnight.")
        .Example("6h");
    schema
        .Optional("timezone", &WindowOptions::timezone,
                  "Windows follow the civil time of a zone: days have 23 to 25 hours; an hour that "
                  "the clock "
                  "shows twice is two windows of an hour, and not two days. From 2000 to 2050; "
                  "other times "
                  "have the offset of the nearest of these.")
        .Example("Europe/Berlin");
    schema
        .Optional("emit", &WindowOptions::emit,
                  "Early results of a window that is open, by the time of arrivals, with `partial: "
                  "true`.")
        .Example("every 1s");
    schema
        .Optional("fill", &WindowOptions::fill,
                  "Most empty windows in a row that are given between two with records.")
        .Between(0, 1'000);
  }
};

}  // namespace runnel
