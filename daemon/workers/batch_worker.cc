#include "daemon/workers/batch_worker.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/posix/mapping.h"
#include "daemon/workers/batch_protocol.h"
#include "daemon/workers/sandbox.h"
#include "daemon/workers/test_hooks.h"
#include "pipelines/batch/partition_runner.h"
#include "pipelines/batch/run_merger.h"
#include "pipelines/batch/splitter.h"

namespace runnel {
namespace {

using namespace batch;

constexpr std::size_t kMemoryBesides = 128 << 20;  // beyond the states: scratch, results
constexpr std::size_t kRejectedRowMax = 64 * 1024;

// The channel with nothing but read and write: what the sandbox allows.
class Line final {
 public:
  explicit Line(int fd) : fd_(fd), buffer_(kMessageMax) {}
  bool Send(const std::string& bytes) const {
    ssize_t sent;
    while ((sent = write(fd_, bytes.data(), bytes.size())) < 0 && errno == EINTR) {
    }
    return sent == static_cast<ssize_t>(bytes.size());
  }
  // False when it is closed.
  bool Receive(Job& job) {
    ssize_t size;
    while ((size = read(fd_, buffer_.data(), buffer_.size())) < 0 && errno == EINTR) {
    }
    return size > 0 && Job::Decode({buffer_.data(), static_cast<std::size_t>(size)}, job);
  }

 private:
  int fd_;
  std::vector<char> buffer_;
};

// Frames for the coordinator; waits for it when the area is full.
class OutArea final : public BatchSink {
 public:
  OutArea(std::byte* area, Line& line) : area_(area), line_(&line) {}

  void Start(std::string_view text) {
    text_ = text;
    counted_ = lines_ = 0;
    used_ = 0;
  }
  std::size_t used() const { return used_; }

  void TakeOutput(std::string_view bytes) override { Put(FrameKind::kOutput, 0, bytes); }
  void TakeRunBlock(std::string_view block) override { Put(FrameKind::kRunBlock, 0, block); }
  void EndRun() override { Put(FrameKind::kEndRun, 0, {}); }
  void TakeSegment(std::uint32_t partition, std::string_view bytes) override {
    Put(FrameKind::kSegment, partition, bytes);
  }
  void TakeField(std::string_view name) { Put(FrameKind::kField, 0, name); }
  void TakeReject(const BatchReject& reject) override {
    RejectFrame frame;
    if (reject.place.has_value()) {
      frame.chunk = reject.place->chunk;
      frame.line = reject.place->line.value_or(RejectFrame::kNone);
    } else if (reject.offset <= text_.size()) {
      if (reject.offset > counted_) {
        lines_ += CountText(text_.substr(counted_, reject.offset - counted_), 0).lines;
        counted_ = reject.offset;
      }
      frame.line = lines_;
    }
    frame.step = reject.step;
    frame.reason = reject.reason;
    frame.row = reject.row.substr(0, kRejectedRowMax);
    Put(FrameKind::kReject, 0, EncodeReject(frame));
  }

 private:
  void Put(FrameKind kind, std::uint32_t number, std::string_view bytes) {
    CHECK(bytes.size() + kFrameHead <= kOutBytes);
    if (used_ > 0 && used_ + kFrameHead + bytes.size() > kOutSoft) HandOver();
    char* at = reinterpret_cast<char*>(area_) + used_;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    *at = static_cast<char>(kind);
    std::memcpy(at + 1, &number, sizeof number);
    std::memcpy(at + 5, &size, sizeof size);
    std::copy(bytes.begin(), bytes.end(), at + kFrameHead);
    used_ += kFrameHead + bytes.size();
  }
  void HandOver() {
    Reply reply;
    reply.kind = ReplyKind::kMore;
    reply.bytes = used_;
    Job job;
    if (!line_->Send(reply.Encode()) || !line_->Receive(job) || job.kind != JobKind::kGoOn) {
      _exit(1);  // nobody is there any more
    }
    used_ = 0;
  }

  std::byte* area_;
  Line* line_;
  std::size_t used_ = 0;
  std::string_view text_;    // of the chunk
  std::size_t counted_ = 0;  // bytes of it
  std::uint64_t lines_ = 0;  // in these
};

class Worker final {
 public:
  static Result<std::unique_ptr<Worker>> Create(Channel& channel);
  int Run();
  std::uint64_t memory_max() const { return kMemoryBesides + setup_.region_bytes; }

 private:
  Worker(Setup setup, int fd) : setup_(std::move(setup)), line_(fd) {}
  Status Prepare(ChannelMessage message);
  Status MakeMapper();
  Status MakeRunner();
  Status MakeMerger();
  Reply Do(const Job& job);
  Reply DoMap(const Job& job);
  Reply DoPartition(const Job& job);
  Reply DoMerge(const Job& job);
  std::string_view Slot(const Job& job, std::uint64_t begin, std::uint64_t size) const;
  void Note(std::uint64_t row) { page_->progress.store(row, std::memory_order_relaxed); }

  Setup setup_;
  Line line_;
  Mapping slots_;
  Mapping out_;
  OutPage* page_ = nullptr;
  Registry registry_;
  std::unique_ptr<const BatchPlan> plan_;
  std::optional<StateRegion> region_;
  std::optional<OutArea> area_;
  // One at a time: they share the region.
  std::unique_ptr<ChunkMapper> mapper_;
  std::unique_ptr<PartitionRunner> runner_;
  std::unique_ptr<RunMerger> merger_;
};

Reply Failed(std::string text) {
  Reply reply;
  reply.kind = ReplyKind::kFailed;
  reply.text = std::move(text);
  return reply;
}

Result<std::unique_ptr<Worker>> Worker::Create(Channel& channel) {
  Result<ChannelMessage> message = channel.Receive();
  if (!message.ok()) return message.error();
  Setup setup;
  if (!Setup::Decode(message.value().bytes, setup) || message.value().fds.size() != kSetupFds) {
    return Error{ErrorKind::kGiveUp, "a setup that is not of this version"};
  }
  std::unique_ptr<Worker> worker(new Worker(std::move(setup), channel.fd()));
  if (Status prepared = worker->Prepare(std::move(message).value()); !prepared.ok()) {
    return prepared.error();
  }
  return worker;
}

Status Worker::Prepare(ChannelMessage message) {
  std::string spec_bytes(setup_.spec_bytes, '\0');
  if (pread(message.fds[0].get(), spec_bytes.data(), spec_bytes.size(), 0) !=
      static_cast<ssize_t>(spec_bytes.size())) {
    return Errno("reading the pipeline");
  }
  Result<Mapping> slots =
      Mapping::Map(message.fds[1].get(), 0, setup_.slots * setup_.slot_bytes, Access::kRead);
  if (!slots.ok()) return slots.error();
  slots_ = std::move(slots).value();
  Result<Mapping> out =
      Mapping::Map(message.fds[2].get(), 0, PageSize() + kOutBytes, Access::kWrite);
  if (!out.ok()) return out.error();
  out_ = std::move(out).value();
  page_ = reinterpret_cast<OutPage*>(out_.data());
  area_.emplace(out_.data() + PageSize(), line_);
  void* memory = mmap(nullptr, setup_.region_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return Errno("reserving memory for states");
  StateRegion::Options options;
  options.base = static_cast<std::byte*>(memory);
  options.capacity = setup_.region_bytes;
  Result<StateRegion> region = StateRegion::Attach(std::move(options));
  if (!region.ok()) return region.error();
  region_.emplace(std::move(region).value());
  RegisterAll(registry_);
  Result<BatchSpec> spec = BatchSpec::Decode(spec_bytes);
  if (!spec.ok()) return spec.error();
  Diagnostics diagnostics;
  plan_ = CompileBatch(spec.value(), registry_, diagnostics);
  if (plan_ == nullptr) return Error{ErrorKind::kGiveUp, diagnostics.Format()};
  return {};
}

Status Worker::MakeMapper() {
  if (mapper_ != nullptr) return {};
  runner_.reset();
  merger_.reset();
  region_->Clear();
  Result<std::unique_ptr<ChunkMapper>> mapper =
      ChunkMapper::Create(*plan_, *region_, *area_, [this](std::uint64_t row) { Note(row); });
  if (!mapper.ok()) return mapper.error();
  mapper_ = std::move(mapper).value();
#ifdef RUNNEL_TEST_HOOKS
  if (!setup_.poison_text.empty()) {
    mapper_->on_row = [this](std::string_view row) { DieOfPoison(row, setup_.poison_text); };
  }
#endif
  return {};
}

Status Worker::MakeRunner() {
  if (runner_ != nullptr) return {};
  mapper_.reset();
  merger_.reset();
  region_->Clear();
  Result<std::unique_ptr<PartitionRunner>> runner = PartitionRunner::Create(
      *plan_, *region_, setup_.region_bytes, *area_, [this](std::uint64_t row) { Note(row); });
  if (!runner.ok()) return runner.error();
  runner_ = std::move(runner).value();
#ifdef RUNNEL_TEST_HOOKS
  if (!setup_.poison_text.empty()) {
    runner_->on_row = [this](std::string_view row) { DieOfPoison(row, setup_.poison_text); };
  }
#endif
  return {};
}

Status Worker::MakeMerger() {
  if (merger_ != nullptr) return {};
  mapper_.reset();
  runner_.reset();
  Result<std::unique_ptr<RunMerger>> merger = RunMerger::Create(*plan_, *region_, *area_);
  if (!merger.ok()) return merger.error();
  merger_ = std::move(merger).value();
  return {};
}

std::string_view Worker::Slot(const Job& job, std::uint64_t begin, std::uint64_t size) const {
  const std::uint64_t room = setup_.slot_bytes - Decoder::kPadding;
  CHECK(job.slot < setup_.slots && begin <= room && size <= room - begin);
  return {reinterpret_cast<const char*>(slots_.data()) + job.slot * setup_.slot_bytes + begin,
          size};
}

Reply Worker::Do(const Job& job) {
  switch (job.kind) {
    case JobKind::kProbe:
    case JobKind::kMap:
      return DoMap(job);
    case JobKind::kPartition:
      return DoPartition(job);
    case JobKind::kMerge:
      return DoMerge(job);
    case JobKind::kGoOn:
      break;
  }
  return Failed("a job that nobody knows");
}

Reply Worker::DoMap(const Job& job) {
  if (Status made = MakeMapper(); !made.ok()) return Failed(made.error().message);
  ChunkInput input;
  input.number = job.number;
  input.header = Slot(job, 0, job.header);
  input.text = Slot(job, job.begin, job.size);
  area_->Start(input.text);
  MapMode mode{job.spread, job.careful, job.kind == JobKind::kProbe, job.skip};
  if (const char* reason = mapper_->Map(input, mode)) return Failed(reason);
  // More than a message takes.
  for (const std::string& field : mapper_->probe().fields) area_->TakeField(field);
  Reply reply;
  reply.kind = ReplyKind::kDone;
  reply.bytes = area_->used();
  reply.counts = mapper_->counts();
  reply.groups = mapper_->probe().groups;
  return reply;
}

Reply Worker::DoPartition(const Job& job) {
  if (Status made = MakeRunner(); !made.ok()) return Failed(made.error().message);
  area_->Start({});
  if (job.first) {
    const MapMode mode{false, job.careful, false, job.skip};
    if (Status begun = runner_->Begin(mode); !begun.ok()) return Failed(begun.error().message);
  }
  std::string_view rest = Slot(job, 0, job.size);
  while (!rest.empty()) {
    SegmentHead head;
    if (rest.size() < sizeof head) return Failed("segments are cut off");
    std::memcpy(&head, rest.data(), sizeof head);
    rest.remove_prefix(sizeof head);
    if (rest.size() < head.header || rest.size() - head.header < head.size) {
      return Failed("segments are cut off");
    }
    const Segment segment{head.chunk, rest.substr(0, head.header),
                          rest.substr(head.header, head.size)};
    if (!runner_->Feed(segment)) return Failed("a segment is damaged");
    rest.remove_prefix(std::size_t{head.header} + head.size);
  }
  if (job.last) runner_->End();
  Reply reply;
  reply.kind = ReplyKind::kDone;
  reply.bytes = area_->used();
  if (job.last) reply.counts = runner_->counts();
  return reply;
}

Reply Worker::DoMerge(const Job& job) {
  if (Status made = MakeMerger(); !made.ok()) return Failed(made.error().message);
  area_->Start({});
  MergeInput input;
  input.from = job.from;
  input.until = job.until;
  std::uint64_t at = 0;
  for (const std::uint64_t size : job.runs) {
    input.runs.push_back(Slot(job, at, size));
    at += size;
  }
  if (!merger_->Merge(input, job.goal)) return Failed("a run is damaged");
  Reply reply;
  reply.kind = ReplyKind::kDone;
  reply.bytes = area_->used();
  reply.counts = merger_->counts();
  return reply;
}

int Worker::Run() {
  Reply ready;
  if (!line_.Send(ready.Encode())) return 1;
  for (Job job; line_.Receive(job); job = Job()) {
    if (!line_.Send(Do(job).Encode())) return 1;
  }
  return 0;
}

}  // namespace

int RunBatchWorker(Channel channel) {
  Result<std::unique_ptr<Worker>> worker = Worker::Create(channel);
  if (!worker.ok()) {
    std::fprintf(stderr, "error: worker: %s\n", worker.error().message.c_str());
    return 1;
  }
  if (const Status sandboxed = EnterSandbox({worker.value()->memory_max()}); !sandboxed.ok()) {
    std::fprintf(stderr, "error: worker: %s\n", sandboxed.error().message.c_str());
    return 1;
  }
  return worker.value()->Run();
}

}  // namespace runnel
