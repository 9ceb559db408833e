#include "daemon/batch/batch_run.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <thread>
#include <utility>

#include "config/file.h"
#include "daemon/batch/phases.h"
#include "daemon/batch/places.h"
#include "daemon/batch/prepare.h"
#include "daemon/batch/progress.h"
#include "daemon/batch/report.h"
#include "daemon/batch/stop_signals.h"
#include "daemon/posix/files.h"
#include "pipelines/base/hash.h"

namespace runnel {
namespace {

constexpr int kFailed = 1;
constexpr int kWrong = 2;
constexpr std::size_t kRunsMax = 256;          // that are merged at once
constexpr std::size_t kSlotMin = 5 << 20;      // room for two blocks of each of these
constexpr std::uint64_t kSpreadRows = 10'000;  // of a first chunk that says enough
constexpr std::uint64_t kStateBytes = 64 << 20;
constexpr std::size_t kManifestEvery = 8;  // chunks
constexpr std::size_t kManifestBytesMax = std::size_t{1} << 30;

Error CannotGoOn(const std::string& why) {
  return Error{ErrorKind::kFix, "the run that was cut short cannot be gone on with: " + why +
                                    "\n  hint: without `--resume` it begins anew"};
}

class Run final {
 public:
  explicit Run(const BatchOptions& options) : options_(options), progress_(StyleOf(options)) {
    streams_.stop_fd = stop_.fd();
  }
  int Do();

 private:
  static Progress::Style StyleOf(const BatchOptions& options) {
    if (isatty(STDERR_FILENO) != 0 && !options.json) return Progress::Style::kBar;
    return options.progress ? Progress::Style::kLines : Progress::Style::kNone;
  }
  std::string Beside(const char* what) const {
    return options_.output == "-" ? std::string() : options_.output + ".runnel-" + what;
  }
  int Fail(const Error& error);
  int Stop();
  Status Lock(const std::string& output);
  void Unlock();
  Status MakeState();
  Status MakePool();
  Status Probe();
  Status TakeUpManifest();
  Status StartManifest();
  Status KeepEntry(const ManifestEntry& entry);
  Status Map();
  Status MapInOrder();
  Status ProbeFile(std::size_t file, ProbeResult& result);
  Status TakeColumns(const std::vector<std::string>& fields);
  Status Partitions();
  Status Merge();
  Status Commit();
  Status CheckErrors() const;
  ManifestHead Head() const;
  void Remove(std::initializer_list<const char*> parts) const;
  void RemoveParts();
  Status Report();
  void Tick();

  BatchOptions options_;
  Progress progress_;
  StopSignals stop_;
  Registry registry_;
  std::optional<Prepared> prepared_;
  Streams streams_;
  std::optional<BatchState> state_;
  std::optional<WorkPool> pool_;
  std::vector<std::pair<std::string, Fd>> locks_;  // with their paths
  Fd manifest_;
  std::string manifest_pending_;
  std::size_t entries_pending_ = 0;
  bool spread_ = false;
  OutputColumns columns_ = OutputColumns::kKnown;
  bool resumed_ = false;
  std::size_t slot_bytes_ = 0;
  std::uint64_t handed_ = 0;  // rows to partitions
  std::string failure_;       // why there is no output although all was read
  const char* phase_ = "reading";
  MergePhase* merging_ = nullptr;
};

int Run::Fail(const Error& error) {
  progress_.End();
  std::fprintf(stderr, "error: %s\n", error.message.c_str());
  pool_.reset();
  if (state_.has_value() && !options_.resume) RemoveParts();
  return kFailed;
}

// A run that was asked to resume leaves what it has for the next one.
int Run::Stop() {
  progress_.End();
  const int number = stop_.Number();
  pool_.reset();
  if (!state_.has_value()) return 128 + number;
  if (options_.resume) {
    static_cast<void>(state_->spool.Flush().ok());
  } else {
    RemoveParts();
  }
  std::fprintf(stderr, "stopped: there is no output%s\n",
               options_.resume ? "; `--resume` goes on" : "");
  return 128 + number;
}

void Run::Remove(std::initializer_list<const char*> parts) const {
  for (const char* part : parts) {
    if (const std::string path = Beside(part); !path.empty()) unlink(path.c_str());
  }
}

void Run::RemoveParts() {
  if (!state_.has_value()) return;
  state_->output.Discard();
  state_->rejects.Discard();
  Remove({"manifest", "spool", "part", "rejects"});
  Unlock();
}

void Run::Tick() {
  if (!state_.has_value()) return;
  if (merging_ != nullptr) {
    progress_.Show(phase_, static_cast<std::uint64_t>(merging_->part_done() * 1000), 1000,
                   state_->counts.rows, pool_->pids());
    return;
  }
  progress_.Show(phase_, state_->chunker.bytes_read(), state_->chunker.bytes_total(),
                 state_->counts.rows, pool_->pids());
}

// Two runs have no file in common.
Status Run::Lock(const std::string& output) {
  const std::string path = output + ".runnel-lock";
  Fd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return Errno("making `" + path + "`");
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorKind::kRetry, "another run writes `" + output + "`"};
  }
  locks_.emplace_back(path, std::move(lock));
  return {};
}

// With their names: they are of this run while it is there.
void Run::Unlock() {
  for (const auto& [path, lock] : locks_) unlink(path.c_str());
  locks_.clear();
}

Status Run::MakeState() {
  const std::string output = options_.output;
  for (const std::string& path : {output, options_.rejects}) {
    if (path.empty() || path == "-") continue;
    if (Status locked = Lock(path); !locked.ok()) {
      Unlock();
      return locked;
    }
  }
  const std::uint64_t fixed = (options_.workers + 1) * slot_bytes_ + options_.workers * (16 << 20);
  const std::uint64_t spool_memory =
      std::max<std::uint64_t>(options_.memory > fixed ? options_.memory - fixed : 0, 4 << 20);
  state_.emplace(Chunker(prepared_->inputs, prepared_->chunks, streams_),
                 Spool(Beside("spool"), spool_memory),
                 OutputFile(output, Beside("part"), stop_.fd()),
                 Rejects(RejectsPath(options_), RejectsPart(options_), stop_.fd()));
  state_->errors_max = options_.errors_max;
  return {};
}

Status Run::MakePool() {
  WorkPoolOptions options;
  options.executable = options_.worker_executable;
  options.workers = options_.workers;
  options.slot_bytes = slot_bytes_;
  options.region_bytes = kStateBytes;
  if (prepared_->plan->sorts_results()) {
    options.region_bytes = std::max<std::uint64_t>(kStateBytes, options_.memory / options_.workers);
  }
  options.region_bytes = options.region_bytes / 4096 * 4096;
  options.row_timeout = options_.row_timeout;
  options.poison_text = options_.poison_text;
  options.stop_fd = stop_.fd();
  options.tick = [this] { Tick(); };
  pool_.emplace(std::move(options));
  return pool_->Start(prepared_->spec.Encode());
}

// The first chunks say which columns there are, and whether chunks are worth grouping.
Status Run::Probe() {
  const bool groups = prepared_->plan->way == BatchWay::kGroups;
  if (groups && prepared_->needs_columns) {
    if (Status known = TakeColumns({}); !known.ok()) return known;
  }
  if (!groups && !prepared_->needs_columns) return {};
  ProbeResult seen;
  if (Status first = ProbeFile(0, seen); !first.ok() || pool_->stopped()) return first;
  spread_ = groups && seen.rows >= kSpreadRows && 2 * seen.groups > seen.rows;
  if (!prepared_->needs_columns) return {};
  std::vector<std::string> fields = seen.fields;
  // Where the rows say, each file may have some of its own. One stream at a time: who writes the
  // next one may wait until this one is read.
  for (std::size_t file = 1; file < prepared_->inputs.size(); ++file) {
    if (prepared_->inputs[file].is_stream) continue;
    if (Status other = ProbeFile(file, seen); !other.ok() || pool_->stopped()) return other;
    for (const std::string& field : seen.fields) {
      if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
    }
  }
  if (fields.empty() && prepared_->plan->way == BatchWay::kRows) columns_ = OutputColumns::kUnknown;
  return TakeColumns(fields);
}

Status Run::TakeColumns(const std::vector<std::string>& fields) {
  Diagnostics diagnostics;
  if (!SetColumns(*prepared_, fields, registry_, diagnostics)) {
    return Error{ErrorKind::kFix, diagnostics.Format()};
  }
  return pool_->Start(prepared_->spec.Encode());
}

// What the first chunk has, from that file on.
Status Run::ProbeFile(std::size_t file, ProbeResult& result) {
  const auto from = prepared_->inputs.begin() + static_cast<std::ptrdiff_t>(file);
  streams_.looking = true;
  Chunker chunker({from, prepared_->inputs.end()}, prepared_->chunks, streams_);
  ProbePhase probe(chunker);
  const Status run = pool_->Run(probe);
  streams_.looking = false;
  result = probe.result();
  return run;
}

ManifestHead Run::Head() const {
  ManifestHead head;
  head.pipeline = Hash(prepared_->spec.Encode() + HeaderLine(*prepared_));
  head.chunk_bytes = prepared_->chunks.bytes;
  head.spread = spread_;
  head.inputs = prepared_->inputs;
  return head;
}

// What an earlier run has done, where it was about the same.
Status Run::TakeUpManifest() {
  Result<std::string> bytes = ReadWholeFile(Beside("manifest"), kManifestBytesMax);
  if (!bytes.ok()) return {};
  const std::optional<ManifestContent> content = ReadManifest(bytes.value());
  if (!content.has_value() || content->entries.empty()) return {};
  if (const std::string why = WhyNotTheSame(content->head, Head()); !why.empty()) {
    return CannotGoOn(why);
  }
  BatchState& state = *state_;
  for (const ManifestEntry& entry : content->entries) {
    state.chunks.push_back(entry.chunk);
    state.counts.Add(entry.counts);
    state.runs.insert(state.runs.end(), entry.runs.begin(), entry.runs.end());
    for (const SegmentPlace& place : entry.segments)
      state.segments[place.partition].push_back(place);
  }
  const ManifestEntry& last = content->entries.back();
  for (const Status& taken : {state.spool.Resume(last.spool), state.output.Resume(last.output),
                              state.rejects.Resume(last.rejects)}) {
    if (!taken.ok()) return CannotGoOn(taken.error().message);
  }
  if (Status taken = state.chunker.ResumeBehind(last.chunk); !taken.ok()) return taken;
  manifest_ = Fd(open(Beside("manifest").c_str(), O_WRONLY | O_CLOEXEC));
  if (!manifest_.valid() || ftruncate(manifest_.get(), static_cast<off_t>(content->size)) != 0 ||
      lseek(manifest_.get(), 0, SEEK_END) < 0) {
    return Errno("taking up `" + Beside("manifest") + "`");
  }
  resumed_ = true;
  return {};
}

Status Run::StartManifest() {
  if (options_.resume) {
    if (Status taken = TakeUpManifest(); !taken.ok()) return taken;
  }
  if (resumed_) return {};
  Remove({"manifest"});
  if (Status opened = state_->output.Open(); !opened.ok()) return opened;
  const Status header = state_->output.Write(HeaderLine(*prepared_));
  if (!header.ok()) return header;
  if (!Beside("manifest").empty()) manifest_pending_ = EncodeManifestHead(Head());
  return {};
}

// Chunks are noted when all that they have left is in its files: a short run writes none.
Status Run::KeepEntry(const ManifestEntry& entry) {
  if (Status checked = CheckErrors(); !checked.ok()) return checked;
  if (Beside("manifest").empty()) return {};
  manifest_pending_ += EncodeManifestEntry(entry);
  if (++entries_pending_ < kManifestEvery) return {};
  entries_pending_ = 0;
  for (const Status& flushed :
       {state_->spool.Flush(), state_->output.Flush(), state_->rejects.Flush()}) {
    if (!flushed.ok()) return flushed;
  }
  if (!manifest_.valid()) {
    manifest_ =
        Fd(open(Beside("manifest").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!manifest_.valid()) return Errno("making `" + Beside("manifest") + "`");
  }
  if (write(manifest_.get(), manifest_pending_.data(), manifest_pending_.size()) !=
      static_cast<ssize_t>(manifest_pending_.size())) {
    return Errno("writing `" + Beside("manifest") + "`");
  }
  manifest_pending_.clear();
  return {};
}

Status Run::CheckErrors() const {
  const std::uint64_t errors = state_->counts.rejected + state_->counts.results_rejected;
  if (!options_.errors_max.has_value() || errors <= *options_.errors_max) return {};
  return Error{ErrorKind::kGiveUp, Grouped(errors) + " rows could not be used, more than " +
                                       "--max-errors " + Grouped(*options_.errors_max) +
                                       "\n  the first: " + state_->rejects.first()};
}

Status Run::Map() {
  if (prepared_->plan->way == BatchWay::kInOrder) return MapInOrder();
  MapPhase phase(*state_, spread_, state_->chunks.size(),
                 [this](const ManifestEntry& entry) { return KeepEntry(entry); });
  return pool_->Run(phase);
}

// The only partition has the chunks themselves.
Status Run::MapInOrder() {
  std::vector<char> slot(slot_bytes_);
  for (;;) {
    Chunk chunk;
    const Result<bool> filled = state_->chunker.Fill(slot.data(), chunk);
    if (!filled.ok()) return filled.error();
    if (!filled.value()) return {};
    state_->chunks.push_back(chunk);
    const Result<Extent> header = state_->spool.Append({slot.data(), chunk.header});
    if (!header.ok()) return header.error();
    const Result<Extent> rows = state_->spool.Append({slot.data() + chunk.begin, chunk.size});
    if (!rows.ok()) return rows.error();
    state_->segments[0].push_back({0,
                                   chunk.number,
                                   static_cast<std::uint32_t>(chunk.header),
                                   {header.value().offset, chunk.header + chunk.size}});
    Tick();
  }
}

Status Run::Partitions() {
  const BatchPlan& plan = *prepared_->plan;
  if (plan.way == BatchWay::kRows || (plan.way == BatchWay::kGroups && !spread_)) return {};
  phase_ = "partitions";
  std::uint32_t partitions = kBatchPartitions;
  if (plan.way == BatchWay::kPartitions) partitions = plan.plan().partitions(1);
  if (plan.way == BatchWay::kInOrder) partitions = 1;
  if (plan.way != BatchWay::kGroups) handed_ = std::exchange(state_->counts.passed, 0);
  PartitionPhase phase(*state_, partitions, slot_bytes_);
  if (Status run = pool_->Run(phase); !run.ok() || pool_->stopped()) return run;
  if (plan.way == BatchWay::kInOrder) state_->counts.rows = handed_ = phase.rows();
  if (plan.way == BatchWay::kPartitions && phase.rows() != handed_) {
    return Error{ErrorKind::kGiveUp, "the partitions have seen other rows than they were given"};
  }
  return CheckErrors();
}

Status Run::Merge() {
  const BatchPlan& plan = *prepared_->plan;
  if (plan.way == BatchWay::kRows) return {};
  phase_ = "merging";
  const bool groups = plan.way == BatchWay::kGroups;
  while (groups && state_->runs.size() > kRunsMax) {
    std::vector<Extent> merged;
    for (std::size_t from = 0; from < state_->runs.size(); from += kRunsMax) {
      const auto begin = state_->runs.begin() + static_cast<std::ptrdiff_t>(from);
      const std::size_t count = std::min(kRunsMax, state_->runs.size() - from);
      MergePhase phase(*state_, {begin, begin + static_cast<std::ptrdiff_t>(count)},
                       MergeGoal::kRun, slot_bytes_);
      if (Status run = pool_->Run(phase); !run.ok() || pool_->stopped()) return run;
      if (phase.run().size > 0) merged.push_back(phase.run());
    }
    state_->runs = std::move(merged);
  }
  MergePhase phase(*state_, state_->runs, groups ? MergeGoal::kResults : MergeGoal::kLines,
                   slot_bytes_);
  merging_ = &phase;
  const Status run = pool_->Run(phase);
  merging_ = nullptr;
  return run.ok() && !pool_->stopped() ? CheckErrors() : run;
}

Status Run::Commit() {
  if (!state_->counts.IsSettled()) {
    return Error{ErrorKind::kGiveUp, "the rows do not add up: this is a fault of runnel"};
  }
  if (state_->counts.dropped > 0 && prepared_->plan->way != BatchWay::kRows &&
      !options_.as_stream) {
    return Error{ErrorKind::kFix, Grouped(state_->counts.dropped) +
                                      " rows found no room for their state\n  hint: give more "
                                      "`--memory`, or take fewer aggregates in one run"};
  }
  failure_ = WhyFailed(state_->counts, state_->rejects, columns_);
  if (Status done = state_->rejects.Sync(); !done.ok()) return done;
  if (Status done = state_->output.Sync(); !done.ok()) return done;
  // First of all: a manifest tells of files that have their names no longer.
  Remove({"manifest"});
  if (Status done = state_->rejects.Commit(); !done.ok()) return done;
  // What was there before is worth more than nothing; the rejects say why.
  if (!failure_.empty()) {
    state_->output.Discard();
  } else if (Status done = state_->output.Commit(); !done.ok()) {
    return done;
  }
  // An earlier run may have had rejects.
  Remove({"spool", "rejects"});
  Unlock();
  return {};
}

Status Run::Report() {
  const BatchState& state = *state_;
  if (!options_.json) {
    std::fputs(ReportText(state.counts, progress_.seconds(), state.rejects).c_str(), stderr);
    return {};
  }
  const std::string json = ReportJson(state.counts, progress_.seconds(),
                                      {{"spread", spread_ ? 1U : 0U},
                                       {"spooled", state.spool.size()},
                                       {"spool_file", state.spool.file_bytes()},
                                       {"worker_restarts", pool_->restarts()},
                                       {"resumed", resumed_ ? 1U : 0U}});
  std::FILE* const to = options_.output == "-" ? stderr : stdout;
  if (std::fputs(json.c_str(), to) >= 0 && std::fflush(to) == 0) return {};
  Error error = Errno("writing the report");
  if (failure_.empty()) error.message += "\n  hint: that alone is missing, the output is whole";
  return error;
}

int Run::Do() {
  RegisterAll(registry_);
  if (options_.workers == 0) options_.workers = std::max(1U, std::thread::hardware_concurrency());
  Diagnostics diagnostics;
  std::string problem;
  prepared_ = Prepare(options_, registry_, diagnostics, problem);
  std::fputs(diagnostics.Format().c_str(), stderr);
  if (!problem.empty()) std::fprintf(stderr, "error: %s\n", problem.c_str());
  if (!prepared_.has_value()) return kWrong;
  const std::string twice = TwiceAmong(prepared_->inputs);
  if (!twice.empty()) std::fprintf(stderr, "warning: %s\n", twice.c_str());
  if (prepared_->plan->way == BatchWay::kInOrder) options_.workers = 1;
  slot_bytes_ = std::max(Chunker::SlotBytes(prepared_->chunks), kSlotMin);
  const std::pair<Status (Run::*)(), bool> steps[] = {
      {&Run::MakePool, false},      {&Run::Probe, false}, {&Run::MakeState, false},
      {&Run::StartManifest, false}, {&Run::Map, true},    {&Run::Partitions, true},
      {&Run::Merge, true},          {&Run::Commit, true}};
  for (const auto& [step, with_state] : steps) {
    const Status done = (this->*step)();
    // What fails behind a signal does so because of it.
    if (pool_->stopped() || (!done.ok() && stop_.HasCome())) return Stop();
    if (!done.ok()) return Fail(done.error());
  }
  progress_.End();
  const Status reported = Report();
  if (!reported.ok()) std::fprintf(stderr, "error: %s\n", reported.error().message.c_str());
  if (!failure_.empty()) std::fprintf(stderr, "error: %s\n", failure_.c_str());
  return failure_.empty() && reported.ok() ? 0 : kFailed;
}

}  // namespace

int RunBatch(const BatchOptions& options) { return Run(options).Do(); }

}  // namespace runnel
