#include "daemon/service/switchboard.h"

#include <fcntl.h>

#include <utility>

#include "daemon/posix/files.h"
#include "daemon/uplink/protocol.h"

namespace runnel {
namespace {

template <typename T>
Status Put(Result<T> made, T& place) {
  if (!made.ok()) return made.error();
  place = std::move(made).value();
  return {};
}

}  // namespace

Result<Switchboard::Station> Switchboard::MakeStation() {
  Station station;
  if (Status made = Put(MakeMemoryFile("runnel-sleep-word", PageSize()), station.page_fd);
      !made.ok()) {
    return made.error();
  }
  Result<Mapping> page = Mapping::Map(station.page_fd.get(), 0, PageSize(), Access::kWrite);
  if (!page.ok()) return page.error();
  station.page = std::move(page).value();
  station.word = reinterpret_cast<SleepWord*>(station.page.data());
  Result<Doorbell> bell = Doorbell::Create();
  if (!bell.ok()) return bell.error();
  station.bell = std::make_unique<Doorbell>(std::move(bell).value());
  station.ringer = std::make_unique<Ringer>(*station.word, *station.bell);
  return station;
}

Result<std::unique_ptr<Switchboard>> Switchboard::Create(std::size_t workers) {
  std::unique_ptr<Switchboard> board(new Switchboard());
  for (std::size_t i = 0; i < workers; ++i) {
    Result<Station> station = MakeStation();
    if (!station.ok()) return station.error();
    board->workers_.push_back(std::move(station).value());
  }
  for (Station* place : {&board->uplink_, &board->daemon_}) {
    Result<Station> station = MakeStation();
    if (!station.ok()) return station.error();
    *place = std::move(station).value();
  }
  Result<Doorbell> room = Doorbell::Create();
  if (!room.ok()) return room.error();
  board->room_ = std::make_unique<Doorbell>(std::move(room).value());
  return board;
}

Result<HostLinks> Switchboard::LinksOfWorker(std::size_t index) const {
  HostLinks links;
  const Station& own = workers_[index];
  for (Status put : {Put(Duplicate(own.page_fd.get()), links.own_page),
                     Put(own.bell->Duplicate(), links.own_bell),
                     Put(Reopen(uplink_.page_fd.get(), O_RDONLY), links.uplink_page),
                     Put(uplink_.bell->Duplicate(), links.uplink_bell),
                     Put(Reopen(daemon_.page_fd.get(), O_RDONLY), links.daemon_page),
                     Put(daemon_.bell->Duplicate(), links.daemon_bell),
                     Put(room_->Duplicate(), links.room_bell)}) {
    if (!put.ok()) return put.error();
  }
  return links;
}

Result<Switchboard::UplinkLinks> Switchboard::LinksOfUplink() const {
  UplinkLinks links;
  if (Status put = Put(Duplicate(uplink_.page_fd.get()), links.own_page); !put.ok()) {
    return put.error();
  }
  if (Status put = Put(uplink_.bell->Duplicate(), links.own_bell); !put.ok()) {
    return put.error();
  }
  for (const Station& worker : workers_) {
    links.worker_bells.emplace_back();
    if (Status put = Put(worker.bell->Duplicate(), links.worker_bells.back()); !put.ok()) {
      return put.error();
    }
  }
  return links;
}

std::span<std::atomic<std::uint32_t>> Switchboard::append_counts() {
  return reinterpret_cast<DaemonPage*>(daemon_.page.data())->appends;
}

std::uint64_t Switchboard::UplinkRounds() const {
  const auto& page = *reinterpret_cast<const UplinkPage*>(uplink_.page.data());
  return page.rounds.load(std::memory_order_relaxed);
}

bool Switchboard::WorkerSleeps(std::size_t index) const {
  return (workers_[index].word->sleeps.load(std::memory_order_acquire) & 1) != 0;
}

}  // namespace runnel
