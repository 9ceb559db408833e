#include "daemon/uplink/publisher.h"

#include <algorithm>
#include <utility>

namespace runnel {
namespace {

// Outputs of one task that are read ahead of the oldest unsettled one.
constexpr std::size_t kEntriesMax = 1024;
// Outputs of one task before the next has its chance.
constexpr int kInARow = 64;
// A context is the lane's index above and the entry's number below.
constexpr int kNumberBits = 44;

}  // namespace

void Publisher::Add(Source source) {
  auto lane = std::make_unique<Lane>();
  lane->source = std::move(source);
  lanes_.push_back(std::move(lane));
}

bool Publisher::Run() {
  bool moved = false;
  // Each in its turn is the first, so that each gets some of the room where there is little.
  if (!lanes_.empty()) first_lane_ = (first_lane_ + 1) % lanes_.size();
  for (std::size_t turn = 0; turn < lanes_.size(); ++turn) {
    const std::size_t i = (first_lane_ + turn) % lanes_.size();
    Lane& lane = *lanes_[i];
    for (int n = 0; n < kInARow && (lane.waiting > 0 || ReadNext(lane)); ++n) {
      if (!PublishWaiting(lane, i)) break;
      moved = true;
    }
    SettleDone(lane);
  }
  return moved;
}

bool Publisher::ReadNext(Lane& lane) {
  if (lane.broken || lane.entries.size() >= kEntriesMax) return false;
  Entry entry;
  const RingReader::Found found = lane.source.reader->Next(entry.record);
  if (found == RingReader::Found::kDamaged) {
    report_(std::move(lane.source.reader->Damage())
                .In("the outputs of `" + lane.source.id.Name() + "`"));
    lane.broken = true;
  }
  if (found != RingReader::Found::kRecord) return false;
  lane.entries.push_back(entry);
  ++lane.waiting;
  return true;
}

// The oldest entry that waits; false where its sink has no room for it.
bool Publisher::PublishWaiting(Lane& lane, std::size_t lane_index) {
  std::uint64_t number = lane.first;
  for (Entry& entry : lane.entries) {
    if (entry.state == State::kWaiting) return Handle(lane, lane_index, entry, number);
    ++number;
  }
  return false;
}

bool Publisher::Handle(Lane& lane, std::size_t lane_index, Entry& entry, std::uint64_t number) {
  const auto kind = static_cast<OutputKind>(entry.record.header.kind);
  if (kind == OutputKind::kDeadLetter) {
    const Status written = lane.source.dead_letters->Append(
        lane.source.id, lane.source.reader->incarnation(), entry.record);
    if (!written.ok()) report_(written.error());
    entry.how = OutReader::Settled::kDeadLetter;
  } else if (kind != OutputKind::kResult) {
    const std::string reason = "an output of kind " + std::to_string(entry.record.header.kind);
    report_(Error{ErrorKind::kGiveUp, "`" + lane.source.id.Name() + "` has written " + reason});
    entry.how = OutReader::Settled::kRejected;
    Reject(lane, entry.record, reason);
  } else if (const SinkBinding* binding = BindingOf(lane, entry.record); binding == nullptr) {
    entry.how = OutReader::Settled::kRejected;
    Reject(lane, entry.record, "the pipeline does not have its sink any more");
  } else {
    if (binding->sink->Room() == 0) return false;
    const std::string id =
        binding->id_prefix +
        OutputId(lane.source.id, lane.source.reader->incarnation(), entry.record.header.sequence);
    entry.state = State::kInFlight;
    --lane.waiting;
    ++in_flight_[binding->sink];
    binding->sink->Publish(
        {entry.record.topic, entry.record.payload, id, binding->qos, binding->retain},
        (std::uint64_t{lane_index} << kNumberBits) | number);
    return true;
  }
  entry.state = State::kDone;
  --lane.waiting;
  return true;
}

void Publisher::Complete(const Completion& completion) {
  const std::uint64_t lane_index = completion.context >> kNumberBits;
  if (lane_index >= lanes_.size()) return;
  Lane& lane = *lanes_[lane_index];
  const std::uint64_t number = completion.context & ((std::uint64_t{1} << kNumberBits) - 1);
  if (number < lane.first || number - lane.first >= lane.entries.size()) return;
  Entry& entry = lane.entries[number - lane.first];
  if (entry.state != State::kInFlight) return;
  --in_flight_[BindingOf(lane, entry.record)->sink];
  switch (completion.delivered) {
    case Delivered::kRetry:
      entry.state = State::kWaiting;
      ++lane.waiting;
      return;
    case Delivered::kAcknowledged:
      entry.how = OutReader::Settled::kPublished;
      break;
    case Delivered::kRejected:
      entry.how = OutReader::Settled::kRejected;
      Reject(lane, entry.record, completion.reason);
      break;
  }
  entry.state = State::kDone;
}

void Publisher::Reject(Lane& lane, const RecordView& record, std::string_view reason) {
  const Status written = lane.source.dead_letters->AppendRejected(
      lane.source.id, lane.source.reader->incarnation(), record, reason);
  if (!written.ok()) report_(written.error());
}

void Publisher::SettleDone(Lane& lane) {
  bool settled = false;
  while (!lane.entries.empty() && lane.entries.front().state == State::kDone) {
    lane.source.reader->Settle(lane.entries.front().record, lane.entries.front().how);
    lane.entries.pop_front();
    ++lane.first;
    settled = true;
  }
  if (settled && lane.source.reader->WorkerWaits()) lane.source.worker_bell.Ring();
}

const SinkBinding* Publisher::BindingOf(const Lane& lane, const RecordView& record) const {
  for (const SinkBinding& binding : *lane.source.sinks) {
    if (binding.tag == record.header.tag) return &binding;
  }
  return nullptr;
}

void Publisher::Settle() {
  for (const auto& lane : lanes_) SettleDone(*lane);
}

std::size_t Publisher::LeastInFlight() const {
  std::size_t least = 0;
  for (const auto& [sink, in_flight] : in_flight_) {
    if (in_flight > 0 && (least == 0 || in_flight < least)) least = in_flight;
  }
  return least;
}

bool Publisher::HasMore() {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return !lane->broken && lane->entries.size() < kEntriesMax && lane->waiting == 0 &&
           lane->source.reader->HasMore();
  });
}

bool Publisher::Drained() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->entries.empty() && lane->source.reader->Drained();
  });
}

}  // namespace runnel
