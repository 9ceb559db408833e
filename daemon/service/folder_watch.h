// FolderWatch: tells when the folder of the journals is taken away.
//
// Mapped files live on without a name, so nothing fails at once; but what comes next would find
// nothing: a worker that is started again, and the snapshots at the end. inotify: no wake-up
// while nobody does it. On the loop.
#pragma once

#include <asio.hpp>
#include <functional>
#include <memory>
#include <string>

#include "pipelines/base/result.h"

namespace runnel {

class FolderWatch final {
 public:
  // `on_removed` is called once, when `folder` or `part`, which lies in it, has been removed,
  // renamed or unmounted.
  static Result<std::unique_ptr<FolderWatch>> Create(asio::io_context& loop,
                                                     const std::string& folder, std::string part,
                                                     std::function<void()> on_removed);
  void Stop();

 private:
  FolderWatch(asio::io_context& loop, int inotify, std::string part,
              std::function<void()> on_removed);
  void Read();
  bool IsRemoved(std::string_view events) const;

  std::string part_;
  std::function<void()> on_removed_;
  asio::posix::stream_descriptor inotify_;
  char events_[4096];
};

}  // namespace runnel
