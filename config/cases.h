// Cases: the `tests:` of a pipeline file, and running them in virtual time.
//
//   tests:
//     - name: three readings make one mean
//       send:                       # a topic, and json, payload (text) or base64
//         - { topic: sensors/a/climate, at: 0s, json: { ts: 1700000000000, temp: 20 } }
//       expect:                     # per topic in this order, and nothing else
//         - { topic: site/a/climate/a, json: { n: 1 } }   # other fields may be there
//         - { dead_letter: timestamp_is_missing }
//
// `at` counts from the start of the test; it begins at the event time of the first record
// that has one. After the last record time goes on until nothing is due any more, or until
// `until`. Pure: no clock, no files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/base/time.h"
#include "pipelines/plan/plan.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

struct CaseMessage {
  std::string topic;
  Duration at{};
  std::string payload;
};

struct CaseResult {
  std::string topic;  // empty: a dead letter
  Node json;          // a map; kNull: compare `payload`
  std::string payload;
  std::string dead_letter;  // the reason
};

struct Case {
  std::string name;
  Position position;
  std::vector<CaseMessage> send;
  std::vector<CaseResult> expect;
  Time start{};
  std::optional<Duration> until;
  std::vector<std::pair<std::string, std::int64_t>> ledger;  // figures that are compared
  // Of the text, for --update: where `expect` stands; line 0: it cannot be replaced.
  Position expect_key;
};

// Of one case, for the manual.
std::vector<OptionDoc> DescribeTest();
// The cases of a pipeline file. Everything wrong goes to `diagnostics`; nullopt then.
std::optional<std::vector<Case>> ReadCases(const Node& root, Diagnostics& diagnostics);

// What came out.
struct CaseOutput {
  std::string topic;  // empty: a dead letter
  std::string payload;
  std::string reason;  // of a dead letter
  std::string stage;
};

struct CaseReport {
  bool passed = false;
  std::string difference;  // for people, lines; empty when passed
  std::vector<CaseOutput> outputs;
};

struct CaseOptions {
  std::size_t state_bytes = 4 << 20;  // of a task
  bool reload = false;                // from saved state before every message
};

CaseReport RunCase(const Plan& plan, const Case& test, const CaseOptions& options = {});

// `outputs` as an `expect:` block for a file, `indent` blanks in front.
std::string FormatExpected(const std::vector<CaseOutput>& outputs, int indent);
// `text` with the `expect:` of each case replaced by what came out; nullopt where one is
// not a block of its own.
std::optional<std::string> UpdateExpected(std::string_view text,
                                          const std::vector<std::pair<Case, CaseReport>>& cases);

}  // namespace runnel
