// A filter, a newline, a topic: what Parse takes, Match and TopicMatcher agree on.
#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/ingest/topic_filter.h"
#include "pipelines/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runnel;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\n');
  const std::string_view topic =
      cut == std::string_view::npos ? std::string_view() : input.substr(cut + 1);
  const Result<TopicFilter> parsed = TopicFilter::Parse(input.substr(0, cut));
  if (!parsed.ok()) return 0;
  const TopicFilter& filter = parsed.value();

  const TopicLevels levels(topic.substr(0, kTopicBytesMax));
  const bool matches = filter.Match(levels);
  std::uint32_t room[1];
  CHECK(TopicMatcher({&filter, 1}).Match(levels, room).size() == (matches ? 1 : 0));
  const std::vector<TopicFilter> many(8, filter);
  std::uint32_t all[8];
  CHECK(TopicMatcher(many).Match(levels, all).size() == (matches ? 8 : 0));
  if (matches) {
    for (const std::size_t level : filter.capture_levels()) {
      CHECK(level < levels.size());
      CHECK(levels[level].data() >= topic.data());
      CHECK(levels[level].data() + levels[level].size() <= topic.data() + topic.size());
      if (filter.around().has_value())
        CHECK(filter.around()->Level(levels.topic()) == levels[level]);
    }
  }
  CHECK(Overlaps(filter, filter) && Covers(filter, filter));
  // The wire form is a filter of its own, and the same one.
  const Result<TopicFilter> wire = TopicFilter::Parse(filter.wire());
  CHECK(wire.ok() && wire.value().Match(levels) == matches);
  CHECK(Covers(wire.value(), filter) && Covers(filter, wire.value()));
  return 0;
}
