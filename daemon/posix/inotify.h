// Inotify: the events that a read of an inotify descriptor has given, one by one.
#pragma once

#include <sys/inotify.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace runnel {

struct InotifyEvent {
  int watch = 0;
  std::uint32_t mask = 0;
  std::string_view name;  // borrowed from what was read; of a file in the watched folder
};

// Takes the first event off `events`; false where there is none.
inline bool NextEvent(std::string_view& events, InotifyEvent& event) {
  inotify_event raw;
  if (events.size() < sizeof raw) return false;
  std::memcpy(&raw, events.data(), sizeof raw);
  if (events.size() - sizeof raw < raw.len) return false;
  const char* const text = events.data() + sizeof raw;
  event = {raw.wd, raw.mask, {text, strnlen(text, raw.len)}};
  events.remove_prefix(sizeof raw + raw.len);
  return true;
}

}  // namespace runnel
