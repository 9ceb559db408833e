// Plan: a pipeline file, checked and compiled; immutable, shared by all tasks.
//
// Compiled the same way by the daemon (to check, to route, to explain) and by a
// worker (to run), from the same Node.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/time.h"
#include "pipelines/operators/operator.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"
#include "pipelines/spec/schema.h"

namespace runnel {

class Registry;

enum class Overload { kBlock, kDropNewest };
enum class RetainedPolicy { kOnce, kIgnore };
enum class RedeliveryPolicy { kDrop, kKeep };

// `source: { mqtt: … }`. The daemon connects; the plan only says to what.
struct MqttSource {
  std::string broker;  // empty: the first of runnel.yaml
  std::string topic;   // filter with named captures
  std::int64_t qos = 1;
  Overload overload = Overload::kBlock;  // QoS 0: default kDropNewest
  RetainedPolicy retained = RetainedPolicy::kOnce;
  RedeliveryPolicy redelivery = RedeliveryPolicy::kDrop;
};

// `sink: { mqtt: … }` and `late: { mqtt: … }`.
struct MqttSink {
  std::string broker;
  std::string topic;  // template: `site/a/climate/{device}`
  std::int64_t qos = 1;
  bool retain = false;
  // What results for it have in the journals, where they may outlive the plan: of its name, so the
  // same whatever else the pipeline has.
  std::uint64_t tag = 0;
};

// How the daemon picks the task of a message.
struct Sharding {
  std::uint32_t partitions = 4;  // of the first stage
  // Indices into the named captures of the topic that make the shard key;
  // empty: the whole topic.
  std::vector<std::uint16_t> captures;
};

class Plan {
 public:
  virtual ~Plan() = default;

  const std::string& name() const { return name_; }
  const MqttSource& source() const { return source_; }
  const std::vector<MqttSink>& sinks() const { return sinks_; }
  const Sharding& sharding() const { return sharding_; }
  // Stages run one after the other over an exchange; at least one.
  std::size_t stages() const { return partitions_.size(); }
  std::uint32_t partitions(std::size_t stage) const { return partitions_[stage]; }
  // The names that a stage is spread by, in order: of its records the hash of these says which
  // task is theirs. Of the first stage captures of the topic (none: by the whole topic), of a later
  // one the key of its first step (none: one task has all).
  virtual const std::vector<std::string>& SpreadBy(std::size_t stage) const = 0;
  // Of what goes from stage to stage: plans that have the same here understand what each other's
  // stages have written, and spread it alike, but for the number of tasks.
  std::uint64_t exchange_digest() const { return exchange_digest_; }
  // Whether a step of a stage has something that it must not forget.
  virtual bool HasState(std::size_t stage) const = 0;
  // Upper bound of the bytes that one task of `stage` can hold in its StateRegion.
  virtual std::uint64_t StateBytesMax(std::size_t stage) const = 0;
  // Hash of the Node that this plan was made from.
  std::uint64_t fingerprint() const { return fingerprint_; }
  // The plan in words, a line per stage and step, for `runnel explain`.
  virtual std::string Explain() const = 0;

 protected:
  std::string name_;
  MqttSource source_;
  std::vector<MqttSink> sinks_;
  Sharding sharding_;
  std::vector<std::uint32_t> partitions_;
  std::uint64_t fingerprint_ = 0;
  std::uint64_t exchange_digest_ = 0;
};

struct PlanLimits {
  PlanUse use = PlanUse::kDevice;
  std::uint64_t record_max = 64 * 1024;  // bytes of a message, and of an encoded result
};

// Compiles `root` (a pipeline file). Everything wrong goes to `diagnostics`;
// nullptr when there was an error. `name` is used where the file gives none.
std::unique_ptr<const Plan> CompilePlan(const Node& root, std::string_view name,
                                        const Registry& registry, const PlanLimits& limits,
                                        Diagnostics& diagnostics);

// The options of a pipeline file, for the manual and the JSON Schema.
std::vector<OptionDoc> DescribePipeline();
std::vector<OptionDoc> DescribeMqttSource();
std::vector<OptionDoc> DescribeMqttSink();

}  // namespace runnel
