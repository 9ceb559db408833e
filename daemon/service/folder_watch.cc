#include "daemon/service/folder_watch.h"

#include <utility>

#include "daemon/posix/fd.h"
#include "daemon/posix/inotify.h"

namespace runnel {
namespace {

constexpr std::uint32_t kOfFolder = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;
constexpr std::uint32_t kOfPart = IN_DELETE | IN_MOVED_FROM;

}  // namespace

Result<std::unique_ptr<FolderWatch>> FolderWatch::Create(asio::io_context& loop,
                                                         const std::string& folder,
                                                         std::string part,
                                                         std::function<void()> on_removed) {
  Fd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.valid()) return Errno("watching `" + folder + "`");
  if (inotify_add_watch(inotify.get(), folder.c_str(), kOfFolder | kOfPart) < 0) {
    return Errno("watching `" + folder + "`");
  }
  std::unique_ptr<FolderWatch> watch(
      new FolderWatch(loop, inotify.Release(), std::move(part), std::move(on_removed)));
  watch->Read();
  return watch;
}

FolderWatch::FolderWatch(asio::io_context& loop, int inotify, std::string part,
                         std::function<void()> on_removed)
    : part_(std::move(part)), on_removed_(std::move(on_removed)), inotify_(loop, inotify) {}

void FolderWatch::Read() {
  inotify_.async_read_some(asio::buffer(events_),
                           [this](const asio::error_code& error, std::size_t size) {
                             if (error) return;
                             if (IsRemoved({events_, size})) return on_removed_();
                             Read();
                           });
}

bool FolderWatch::IsRemoved(std::string_view events) const {
  for (InotifyEvent event; NextEvent(events, event);) {
    if ((event.mask & kOfFolder) != 0) return true;
    if ((event.mask & kOfPart) != 0 && event.name == part_) return true;
  }
  return false;
}

void FolderWatch::Stop() {
  asio::error_code ignored;
  inotify_.cancel(ignored);
}

}  // namespace runnel
