// What the configuration says about brokers, as the sources and the uplink need it.
//
// Client ids are stable: derived from the host's name, the broker's name and the
// purpose, unless the configuration gives one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/device.h"
#include "daemon/ingest/sessions.h"
#include "daemon/ingest/task_set.h"
#include "daemon/mqtt/options.h"
#include "daemon/uplink/protocol.h"

namespace runnel {

// Worker processes that the configuration asks for: `auto` is cores - 1, at least 1,
// and at most as many as a quarter of the memory holds.
std::size_t WorkerCount(const DeviceConfig& device);
// Hosts of tasks: the workers, or with `workers: 0` the daemon itself.
std::size_t HostCount(const DeviceConfig& device);

struct SourcePlan {
  std::string broker;
  MqttOptions mqtt;
  PlannedSession session;
  std::uint32_t number = 0;  // of the session, from 0
};
std::vector<SourcePlan> PlanSources(const DeviceConfig& device, const TaskSet& tasks);
// Which session each pipeline has, of each broker that keeps them.
using SessionPlaces = std::map<std::string, std::vector<FilterPlace>>;
SessionPlaces PlacesOf(const DeviceConfig& device, const TaskSet& tasks,
                       const std::vector<SourcePlan>& plans);
// Writes that for the next PlanSources. Until the broker has granted it all, what was there before
// stays beside it: a start that does not come so far changes nothing.
enum class Remember { kBesideOthers, kAlone };
Status RememberSessions(const DeviceConfig& device, const std::string& broker,
                        std::vector<FilterPlace> places, Remember how);

// The broker that results of a sink go to, by name. Where an earlier plan of a pipeline has one
// that is not in the configuration any more: that of the sink of the same name in the plan of `now`
// (nullptr: there is no such pipeline). Empty: there is none.
std::string UpstreamOf(const DeviceConfig& device, const MqttSink& sink, const Plan* now);

UplinkSettings MakeUplinkSettings(const DeviceConfig& device, const TaskSet& tasks);

}  // namespace runnel
