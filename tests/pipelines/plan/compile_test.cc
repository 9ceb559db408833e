// Wrong pipelines and what they are told, word by word.
#include <sstream>

#include "tests/pipelines/plan/engine.h"

namespace runnel {
namespace {

// Behind `source:` in line 1.
struct Wrong {
  const char* text;
  const char* said;
};

constexpr char kSource[] = "source: { mqtt: { topic: \"s/{device}/v\" } }\n";

const Wrong kWrong[] = {
    {"steps:\n"
     "  - filtre: v > 1\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:5: error: unknown operator `filtre`\n"
     "  hint: did you mean `filter`?\n"},
    {"steps:\n"
     "  - filter: v > 1\n"
     "    select: [v]\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:5: error: a step is one operator with its options, such as `filter: temp > 20`\n"
     "  hint: begin each with `- ` on a line of its own\n"},
    {"steps:\n"
     "  - filter: \"v > \"\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:17: error: expected a value, found the end\n"},
    {"steps:\n"
     "  - window: { key: device, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:5: error: `window` needs a kind: `tumbling`, `hopping`, `sliding`, `session`, "
     "`count` or `global`\n"
     "  hint: add it: `tumbling: 10s`\n"},
    {"steps:\n"
     "  - window: { tumbling: 10 s, key: device, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:25: error: `tumbling` is not a duration, such as 250ms or 10s\n"
     "  hint: did you mean `10s`?\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, latenes: 1s, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:42: error: unknown option `latenes` of `window`\n"
     "  hint: did you mean `lateness`?\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, lateness: 1s, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:52: error: `lateness` needs event time\n"
     "  hint: name the field with the time: `timestamp: ts`\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { n: cuont() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:58: error: unknown aggregate `cuont`\n"
     "  hint: did you mean `count`?\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { m: mean() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:58: error: `mean` does not take 0 arguments\n"
     "  hint: it is written as `mean(value)`\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { p: quantile(v, 95) } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:58: error: the second argument of `quantile` is a number from 0 to 1, such as "
     "0.95\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { device: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:3:55: error: `device` is there twice\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { mean_v: mean(v) } }\n"
     "  - filter: maen_v > 1\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:4:13: error: there is no field `maen_v` here\n"
     "  hint: did you mean `mean_v`?\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { n: count() } }\n"
     "  - select: [device, m]\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:4:22: error: there is no field `m` here\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { n: count() } }\n"
     "  - window: { tumbling: 10s, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:5:29: error: there is no field `device` here\n"
     "  hint: there are `n`, `start`, `end`, `partial`\n"},
    {"steps:\n"
     "  - window: { tumbling: 1s, key: device, aggregate: { n: count() } }\n"
     "sink: { mqtt: { topic: \"out/{room}\" } }\n",
     "p.yaml:4:29: error: there is no field `room` here\n"
     "  hint: there are `device`, `n`, `start`, `end`, `partial`\n"},
    {"steps:\n"
     "  - filter: v > 1\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n"
     "late: { mqtt: { topic: late } }\n",
     "p.yaml:5:1: error: `late` without a window: nothing is ever late\n"},
    {"steps:\n"
     "  - filter: v > 1\n",
     "p.yaml:1:1: error: missing option `sink` of `pipeline`\n"},
    {"decode: jsn\n"
     "sink: { mqtt: { topic: \"out/{device}\" } }\n",
     "p.yaml:2:9: error: unknown codec `jsn`\n"
     "  hint: did you mean `json`?\n"},
};

// Without the lines of the file that are shown.
std::string Messages(const Diagnostics& diagnostics) {
  std::istringstream lines(diagnostics.Format());
  std::string messages;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("    ")) messages += line + "\n";
  }
  return messages;
}

TEST(Compile, SaysWhatIsWrong) {
  for (const Wrong& wrong : kWrong) {
    Diagnostics diagnostics;
    EXPECT_EQ(CompileText(std::string(kSource) + wrong.text, diagnostics), nullptr) << wrong.text;
    EXPECT_EQ(Messages(diagnostics), wrong.said) << wrong.text;
  }
}

// One run tells all that is wrong.
TEST(Compile, FindsAllAtOnce) {
  Diagnostics diagnostics;
  const std::string text = std::string(kSource) +
                           "steps:\n  - filtre: v > 1\n  - window: { aggregate: { n: cuont() } }\n"
                           "sink: { mqtt: { topik: out } }\n";
  EXPECT_EQ(CompileText(text, diagnostics), nullptr);
  EXPECT_GE(diagnostics.errors(), 3u) << diagnostics.Format();
}

TEST(Compile, PlansAreTheSameForTheSameText) {
  const std::string text = std::string(kSource) + "sink: { mqtt: { topic: \"out/{device}\" } }\n";
  Diagnostics diagnostics;
  const std::uint64_t fingerprint = CompileText(text, diagnostics)->fingerprint();
  EXPECT_EQ(CompileText(text, diagnostics)->fingerprint(), fingerprint);
  EXPECT_EQ(CompileText("# note\n" + text, diagnostics)->fingerprint(), fingerprint);
  EXPECT_NE(CompileText(text + "partitions: 2\n", diagnostics)->fingerprint(), fingerprint);
}

// What goes from stage to stage decides, and nothing else that a change of the pipeline may bring.
TEST(Compile, TellsWhetherStagesExchangeTheSame) {
  const auto digest = [](const std::string& key, const std::string& rest) {
    Diagnostics diagnostics;
    const std::string text = std::string(kSource) +
                             "steps:\n  - filter: v > 1\n"
                             "  - window: { tumbling: 1s, key: " +
                             key +
                             ", aggregate: { n: count() } }\n"
                             "sink: { mqtt: { topic: out } }\n" +
                             rest;
    const std::unique_ptr<const Plan> plan = CompileText(text, diagnostics);
    EXPECT_NE(plan, nullptr) << diagnostics.Format();
    return plan->exchange_digest();
  };
  const std::uint64_t room = digest("room", "");
  EXPECT_EQ(digest("room", "partitions: 7\nencode: cbor\n"), room);
  EXPECT_NE(digest("zone", ""), room);
  EXPECT_NE(digest("[room, v]", ""), room);
  EXPECT_NE(digest("room", "timestamp: ts\n"), room);  // one more field
  EXPECT_NE(digest("room", "sinks: { b: { mqtt: { topic: b } } }\n"), room);
  // What is done before the records go to the next stage, and what it finds in their topic.
  const auto passes = [](const std::string& topic, const std::string& steps) {
    Diagnostics diagnostics;
    const std::string text = "source: { mqtt: { topic: \"" + topic +
                             "\" } }\nschema: { room: string, v: int }\nsteps: [ " + steps +
                             " ]\nsink: { mqtt: { topic: out } }\n";
    const std::unique_ptr<const Plan> plan = CompileText(text, diagnostics);
    EXPECT_NE(plan, nullptr) << diagnostics.Format();
    return plan->exchange_digest();
  };
  const std::string dedupe = "dedupe: { id: v, key: room, ttl: 1h }";
  const std::uint64_t as_it_is = passes("s/{device}/v", "set: { v: v * 2 }, " + dedupe);
  EXPECT_NE(passes("s/{device}/v", dedupe + ", set: { v: v * 2 }"), as_it_is);
  EXPECT_NE(passes("s/{device}/v", "set: { v: v * 3 }, " + dedupe), as_it_is);
  EXPECT_NE(passes("s/+/{device}", "set: { v: v * 2 }, " + dedupe), as_it_is);
  EXPECT_EQ(passes("s/{device}/v", "set: { v: v * 2 }, " + dedupe + ", filter: v > 1"), as_it_is);
  // Not what is in a table.
  const auto enriched = [&](const std::string& rows) {
    return passes("s/{device}/v", "enrich: { table: [" + rows +
                                      "], key: device, on: id, fields: [site] }, " + dedupe);
  };
  EXPECT_EQ(enriched("{ id: a, site: x }, { id: b, site: y }"), enriched("{ id: a, site: z }"));
  // One stage.
  EXPECT_NE(digest("device", ""), room);
  EXPECT_EQ(digest("device", "sinks: { b: { mqtt: { topic: b } } }\n"), digest("device", ""));
}

TEST(Compile, TheTagOfASinkIsThatOfItsName) {
  const auto tags = [](const std::string& sinks) {
    Diagnostics diagnostics;
    const std::unique_ptr<const Plan> plan = CompileText(
        std::string(kSource) + "sink: { mqtt: { topic: out } }\nsinks: {" + sinks + "}\n",
        diagnostics);
    EXPECT_NE(plan, nullptr) << diagnostics.Format();
    std::vector<std::uint64_t> all;
    for (const MqttSink& sink : plan->sinks()) all.push_back(sink.tag);
    return all;
  };
  const std::string a = "a: { mqtt: { topic: a } }";
  const std::string b = "b: { mqtt: { topic: b } }";
  const std::vector<std::uint64_t> both = tags(a + ", " + b);
  ASSERT_EQ(both.size(), 3u);
  EXPECT_EQ(both[0], 0u);
  EXPECT_NE(both[1], 0u);
  EXPECT_NE(both[2], both[1]);
  EXPECT_EQ(tags(b + ", " + a), (std::vector<std::uint64_t>{0, both[2], both[1]}));
  EXPECT_EQ(tags(b), (std::vector<std::uint64_t>{0, both[2]}));
}

}  // namespace
}  // namespace runnel
