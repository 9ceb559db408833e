#include "daemon/service/local_host.h"

#include <utility>

#include "daemon/posix/files.h"
#include "daemon/workers/assignment.h"

namespace runnel {

Result<std::unique_ptr<LocalHost>> LocalHost::Start(Assignment assignment,
                                                    std::function<void(const Error&)> report) {
  std::unique_ptr<LocalHost> local(new LocalHost());
  RegisterAll(local->registry_);
  Result<std::pair<Channel, Fd>> pair = Channel::CreatePair();
  if (!pair.ok()) return pair.error();
  assignment.links.stop = std::move(pair.value().second);
  Result<Fd> stop = Duplicate(pair.value().first.fd());
  if (!stop.ok()) return stop.error();
  local->stop_ = std::move(stop).value();
  Result<std::unique_ptr<Host>> host = BuildHost(std::move(assignment), local->registry_, report);
  if (!host.ok()) return host.error();
  local->host_ = std::move(host).value();
  local->thread_ =
      std::thread([host = local->host_.get(), report = std::move(report)] { host->Run(report); });
  return local;
}

LocalHost::~LocalHost() { Stop(); }

void LocalHost::Stop() {
  stop_.Close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace runnel
