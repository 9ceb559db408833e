// Switchboard: the bells and sleep words of all processes, and the counts of what was
// appended for the workers; made once by the daemon.
//
// They outlive every child: a successor gets the same ones. Each process may write
// its own sleep word only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daemon/posix/doorbell.h"
#include "daemon/posix/mapping.h"
#include "daemon/workers/host.h"

namespace runnel {

class Switchboard final {
 public:
  static Result<std::unique_ptr<Switchboard>> Create(std::size_t workers);

  // What worker `index` gets; all but `stop`.
  Result<HostLinks> LinksOfWorker(std::size_t index) const;
  // What the uplink gets: its own page and bell, and the workers' bells to ring when
  // outputs are settled.
  struct UplinkLinks {
    Fd own_page;
    Doorbell own_bell;
    std::vector<Doorbell> worker_bells;
  };
  Result<UplinkLinks> LinksOfUplink() const;

  Ringer& worker_ringer(std::size_t index) { return *workers_[index].ringer; }
  const Doorbell& worker_bell(std::size_t index) const { return *workers_[index].bell; }
  const Doorbell& uplink_bell() const { return *uplink_.bell; }
  const Doorbell& daemon_bell() const { return *daemon_.bell; }
  SleepWord& daemon_word() { return *daemon_.word; }
  // For TaskSet::CountAppends.
  std::span<std::atomic<std::uint32_t>> append_counts();
  const Doorbell& room_bell() const { return *room_; }
  bool WorkerSleeps(std::size_t index) const;
  std::uint64_t UplinkRounds() const;

 private:
  struct Station {
    Fd page_fd;
    Mapping page;
    SleepWord* word = nullptr;
    std::unique_ptr<Doorbell> bell;
    std::unique_ptr<Ringer> ringer;
  };

  Switchboard() = default;
  static Result<Station> MakeStation();

  std::vector<Station> workers_;
  Station uplink_;
  Station daemon_;
  std::unique_ptr<Doorbell> room_;
};

}  // namespace runnel
