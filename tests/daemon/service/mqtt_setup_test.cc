// Where results of an earlier plan go when brokers and sinks have changed.
#include "daemon/service/mqtt_setup.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "config/config.h"
#include "daemon/service/retirement.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

std::unique_ptr<const Plan> PlanWith(const std::string& sinks) {
  Diagnostics diagnostics;
  const std::string text = "source: { mqtt: { topic: in } }\n" + sinks;
  const std::optional<PipelineFile> file = ReadPipeline(text, "p.yaml", {}, {}, diagnostics);
  Registry registry;
  RegisterAll(registry);
  return CompilePlan(file->root, "p", registry, {}, diagnostics);
}

DeviceConfig DeviceWith(const std::vector<std::string>& brokers) {
  DeviceConfig device;
  for (const std::string& name : brokers) device.brokers.emplace_back(name, BrokerConfig());
  return device;
}

TEST(MqttSetup, ResultsOfAnEarlierPlanFollowTheNameOfTheirSink) {
  const auto earlier = PlanWith(
      "sink: { mqtt: { broker: site, topic: out } }\n"
      "sinks: { copies: { mqtt: { broker: cloud, topic: c } } }\n");
  const auto now = PlanWith(
      "sink: { mqtt: { broker: plant, topic: out } }\n"
      "sinks: { others: { mqtt: { topic: o } }, copies: { mqtt: { topic: c } } }\n");
  const MqttSink& sink = earlier->sinks()[0];
  const MqttSink& copies = earlier->sinks()[1];
  // Where it is still there, to the same broker.
  EXPECT_EQ(UpstreamOf(DeviceWith({"local", "site"}), sink, now.get()), "site");
  const DeviceConfig device = DeviceWith({"local", "plant"});
  EXPECT_EQ(UpstreamOf(device, sink, now.get()), "plant");
  EXPECT_EQ(UpstreamOf(device, copies, now.get()), "local");
  EXPECT_EQ(UpstreamOf(device, sink, nullptr), "");
  EXPECT_TRUE(MayEnd(device, *earlier, now.get()).ok());
}

// Of another sink than `sink` they are rejected: they need not keep the tasks from their end.
TEST(MqttSetup, TasksWithoutABrokerForTheirResultsCannotEnd) {
  const auto earlier = PlanWith(
      "sink: { mqtt: { broker: site, topic: out } }\n"
      "sinks: { copies: { mqtt: { broker: cloud, topic: c } } }\n");
  EXPECT_TRUE(MayEnd(DeviceWith({"local", "site"}), *earlier, nullptr).ok());
  const Status cannot = MayEnd(DeviceWith({"local", "cloud"}), *earlier, nullptr);
  ASSERT_FALSE(cannot.ok());
  EXPECT_EQ(cannot.error().message,
            "its results go to the broker `site`, which is not in the configuration any more");
}

}  // namespace
}  // namespace runnel
