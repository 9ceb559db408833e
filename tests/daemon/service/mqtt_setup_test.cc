// Where results of an earlier plan go when brokers and sinks have changed, and over which sessions
// messages come when there were others.
#include "daemon/service/mqtt_setup.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "config/config.h"
#include "daemon/mqtt/subscriptions.h"
#include "daemon/posix/files.h"
#include "daemon/service/retirement.h"
#include "pipelines/plan/registry.h"
#include "tests/daemon/ingest/task_set_fixture.h"

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

class Sources : public TaskSets {
 protected:
  Sources() : tasks_(Open("/device").value()) {
    device_ = DeviceWith({"local", "other"});
    device_.state = folder_ + "/device/state";
    fs::create_directories(device_.state);
    for (auto& [name, broker] : device_.brokers) broker.client_id = name;
  }

  void Known(const std::string& session, const std::vector<std::string>& filters) {
    std::vector<KnownSubscription> known;
    for (const std::string& filter : filters) known.push_back({{filter}, 0, true});
    const std::string path = device_.state + "/subscriptions." + session;
    ASSERT_TRUE(WriteFileAtomically(path, EncodeSubscriptions(known)).ok());
  }
  std::vector<FilterPlace> Places(const std::vector<SourcePlan>& plans) {
    return PlacesOf(device_, *tasks_, plans).at("local");
  }
  void RememberPlaces(const std::vector<SourcePlan>& plans, Remember how) {
    ASSERT_TRUE(RememberSessions(device_, "local", Places(plans), how).ok());
  }
  // `client id: filters` for each, and whether it tells the status.
  std::string Planned() {
    std::string text;
    for (const SourcePlan& plan : PlanSources(device_, *tasks_)) {
      text += plan.mqtt.client_id + (plan.mqtt.status.has_value() ? "!" : "") + ":";
      for (const PlannedSubscription& one : plan.session.subscriptions) {
        text += " " + one.filter.wire();
      }
      text += "\n";
    }
    return text;
  }

  std::unique_ptr<TaskSet> tasks_;
  DeviceConfig device_;
};

TEST_F(Sources, TheFirstTimeThereIsOneSession) { EXPECT_EQ(Planned(), "local!: in/+\n"); }

TEST_F(Sources, AFilterStaysInItsSessionAndOthersAreEmptied) {
  Known("local.1", {"x"});
  Known("local.2", {"in/+"});
  Known("local.3", {});
  Known("other.1", {"y"});
  EXPECT_EQ(Planned(), "local!:\nlocal-2: in/+\nother!:\n");
  // When that is done.
  Known("local.1", {});
  Known("other.1", {});
  EXPECT_EQ(Planned(), "local!:\nlocal-2: in/+\n");
  device_.brokers[0].second.status.clear();
  EXPECT_EQ(Planned(), "local-2: in/+\n");
  // Nothing waits in a session that ends with its connection.
  device_.brokers[0].second.session = Session::kClean;
  EXPECT_EQ(Planned(), "local: in/+\n");
}

TEST_F(Sources, WhatIsRememberedIsKnownTheNextTime) {
  Known("local.1", {"in/#"});
  Known("local.2", {"in/#"});
  EXPECT_EQ(Planned(), "local!: in/+\nlocal-2:\n");
  std::vector<SourcePlan> plans = PlanSources(device_, *tasks_);
  plans[0].number = 1;
  RememberPlaces(plans, Remember::kAlone);
  EXPECT_EQ(Planned(), "local!:\nlocal-2: in/+\n");
  // What comes beside it takes nothing of it away.
  plans[0].number = 0;
  std::vector<FilterPlace> places = Places(plans);
  places[0].filter = "other/+";
  ASSERT_TRUE(RememberSessions(device_, "local", places, Remember::kBesideOthers).ok());
  EXPECT_EQ(Planned(), "local!:\nlocal-2: in/+\n");
  places[0].filter = "in/+";
  ASSERT_TRUE(RememberSessions(device_, "local", places, Remember::kAlone).ok());
  EXPECT_EQ(Planned(), "local!: in/+\nlocal-2:\n");
  // And nothing of what nobody knows.
  ASSERT_TRUE(WriteFileAtomically(device_.state + "/sessions.local", "nonsense").ok());
  EXPECT_EQ(Planned(), "local!: in/+\nlocal-2:\n");
}

// Of a file that is missing before others nothing is known; of a damaged one neither, but there was
// a session, which begins anew when nobody needs it.
TEST_F(Sources, SessionsOfDamagedAndMissingFilesAreSeenAllTheSame) {
  ASSERT_TRUE(WriteFileAtomically(device_.state + "/subscriptions.local.2", "nonsense").ok());
  Known("local.3", {"in/+"});
  Known("local.7", {"x"});
  EXPECT_EQ(Planned(), "local!:\nlocal-2:\nlocal-3: in/+\nlocal-7:\n");
  const std::vector<SourcePlan> plans = PlanSources(device_, *tasks_);
  EXPECT_EQ(plans[0].mqtt.session, MqttSession::kPersistent);
  EXPECT_EQ(plans[1].mqtt.session, MqttSession::kClean);
  EXPECT_EQ(plans[3].mqtt.session, MqttSession::kPersistent);
}

// Whatever a session has was a pipeline's filter: where its file does not tell, the places do.
TEST_F(Sources, PlacesTellWhatASessionWithoutItsFileHas) {
  const std::vector<FilterPlace> places = {{"p", "a/#", 0},
                                           {"p", "in/+", 1},
                                           {"gone", "x/+", 2},
                                           {"rides", "in/a", 1},
                                           {"unsaved", "y", 1}};
  ASSERT_TRUE(RememberSessions(device_, "local", places, Remember::kAlone).ok());
  Known("local.2", {"in/+"});
  const std::vector<SourcePlan> plans = PlanSources(device_, *tasks_);
  ASSERT_EQ(Planned(), "local!:\nlocal-2: in/+\nlocal-3:\n");
  using Filters = std::vector<std::string>;
  EXPECT_EQ(plans[0].mqtt.filters_before, Filters{"a/#"});
  EXPECT_EQ(plans[1].mqtt.filters_before, Filters{"y"});
  EXPECT_EQ(plans[2].mqtt.filters_before, Filters{"x/+"});
  EXPECT_EQ(plans[1].mqtt.session, MqttSession::kPersistent);
  EXPECT_EQ(plans[2].mqtt.session, MqttSession::kClean);
}

// What waits in it came for what it had.
TEST_F(Sources, ASessionOfMqtt311ThatHadQualityTwoIsReadyForIt) {
  device_.brokers[0].second.version = ProtocolVersion::k311;
  Known("local.1", {"in/+"});
  EXPECT_TRUE(PlanSources(device_, *tasks_)[0].mqtt.inbound_store.empty());
  const std::string path = device_.state + "/subscriptions.local.1";
  ASSERT_TRUE(WriteFileAtomically(path, EncodeSubscriptions({{{"in/#", 2}, 0, true}})).ok());
  EXPECT_FALSE(PlanSources(device_, *tasks_)[0].mqtt.inbound_store.empty());
}

// What the broker still sends over it is not known.
TEST_F(Sources, AnEmptySessionOfMqtt311IsReadyForAnyQuality) {
  device_.brokers[1].second.version = ProtocolVersion::k311;
  Known("other.1", {"y"});
  const std::vector<SourcePlan> plans = PlanSources(device_, *tasks_);
  ASSERT_EQ(plans.size(), 2U);
  EXPECT_TRUE(plans[0].mqtt.inbound_store.empty());
  EXPECT_FALSE(plans[1].mqtt.inbound_store.empty());
}

}  // namespace
}  // namespace runnel
