// Engine: one stage of a pipeline as a worker hosts it, with checkpoints and deaths.
//
// Keeps region, undo log and checkpoint as files of a task would, so that a successor can
// take them over; outputs by their numbers, so that a replay is compared with the first time.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "pipelines/plan/pipeline.h"
#include "pipelines/plan/registry.h"

namespace runnel {

// What stands in a journal.
struct Event {
  InputKind kind = InputKind::kMessage;
  std::int64_t arrival = 0;  // microseconds
  std::string topic;
  std::string payload;
};

// The payload of what says from when to when no message could come in; microseconds.
inline std::string Stood(std::int64_t since, std::int64_t until) {
  const std::int64_t times[] = {since, until};
  return {reinterpret_cast<const char*>(times), sizeof times};
}

struct Killed {};  // thrown where the process dies in the middle of a turn

inline std::unique_ptr<const Plan> CompileText(std::string_view text, Diagnostics& diagnostics) {
  const std::optional<PipelineFile> file = ReadPipeline(text, "p.yaml", {}, {}, diagnostics);
  if (!file.has_value()) return nullptr;
  Registry registry;
  RegisterAll(registry);
  return CompilePlan(file->root, "p", registry, {}, diagnostics);
}

class Engine final : private OutputSink {
 public:
  static constexpr std::size_t kRegion = 1 << 20;
  static constexpr std::size_t kUndo = 4096;

  explicit Engine(std::string_view text)
      : memory_(kRegion + 64), undo_memory_(UndoLog::BytesFor(kUndo)) {
    Diagnostics diagnostics;
    plan_ = CompileText(text, diagnostics);
    EXPECT_NE(plan_, nullptr) << diagnostics.Format();
    EXPECT_EQ(plan_->stages(), 1u) << "only the first stage runs here";
    undo()->capacity = kUndo;
    TakeOver();
  }

  // The next turn: a step of what is pending, or the next of `events`. False at the end.
  bool Turn(const std::vector<Event>& events, bool poison = false) {
    const TurnMode mode{poison, poison ? 6 : 0};
    if (pipeline_->HasPending()) {
      pipeline_->Step(mode, *this);
    } else if (next_ < events.size()) {
      Push(events[next_], mode);
      ++next_;
    } else {
      return false;
    }
    ++turn_;
    EXPECT_TRUE(pipeline_->ledger().Balances()) << "turn " << turn_;
    if (region_->dirty_lines() > kUndo / 2) Checkpoint();
    return true;
  }
  void RunAll(const std::vector<Event>& events) {
    while (Turn(events)) {
    }
  }

  void Checkpoint() {
    ++kept_.number;
    kept_.next = next_;
    kept_.turn = turn_;
    kept_.sequence = sequence_;
    kept_.ledger = pipeline_->ledger();
    region_->Forget(kept_.number);
  }
  // The process dies; a successor goes on from the last checkpoint.
  void Die() {
    pipeline_.reset();
    region_.reset();
    TakeOver();
  }
  // The process dies when it writes output `sequence`: before it is there, or after.
  void DieAtOutput(std::uint64_t sequence, bool after) {
    dies_at_ = sequence;
    dies_after_ = after;
  }

  std::uint64_t turn() const { return turn_; }
  const Plan& plan() const { return *plan_; }
  Pipeline& pipeline() { return *pipeline_; }
  std::size_t used() const { return region_->used(); }
  // `kind topic payload reason` of each output, in order.
  const std::vector<std::string>& outputs() const { return outputs_; }
  std::string Saved() const {
    ByteWriter writer;
    pipeline_->Save(writer);
    return std::string(writer.bytes());
  }

 private:
  struct Kept {
    std::uint64_t number = 0;
    std::size_t next = 0;
    std::uint64_t turn = 0;
    std::uint64_t sequence = 0;
    Ledger ledger;
  };

  UndoLog* undo() { return reinterpret_cast<UndoLog*>(undo_memory_.data()); }
  std::byte* base() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64;
  }

  void TakeOver() {
    const Status back = StateRegion::RollBack(base(), kRegion, *undo(), kept_.number);
    ASSERT_TRUE(back.ok()) << back.error().message;
    StateRegion::Options options;
    options.base = base();
    options.capacity = kRegion;
    options.undo = undo();
    Result<StateRegion> region = StateRegion::Attach(std::move(options));
    ASSERT_TRUE(region.ok()) << region.error().message;
    region_.emplace(std::move(region).value());
    Result<std::unique_ptr<Pipeline>> pipeline =
        Pipeline::Create(*plan_, 0, *region_, kept_.ledger);
    ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
    pipeline_ = std::move(pipeline).value();
    next_ = kept_.next;
    turn_ = kept_.turn;
    sequence_ = kept_.sequence;
  }

  void Push(const Event& event, const TurnMode& mode) {
    padded_.assign(event.payload).append(64, '\xee');  // what follows decides nothing
    Input input;
    input.kind = event.kind;
    input.arrival = TimeFromMicroseconds(event.arrival);
    input.topic = event.topic;
    input.payload = std::string_view(padded_).substr(0, event.payload.size());
    pipeline_->Push(input, mode, *this);
  }

  void Write(const Output& output) override {
    if (sequence_ == dies_at_ && !dies_after_) Die(dies_at_);
    std::string text = std::to_string(static_cast<int>(output.kind)) + " " +
                       std::string(output.topic) + " " + std::string(output.payload) + " " +
                       std::string(output.reason);
    if (sequence_ < outputs_.size()) {
      EXPECT_EQ(text, outputs_[sequence_]) << "written again, output " << sequence_;
    } else {
      outputs_.push_back(std::move(text));
    }
    ++sequence_;
    if (sequence_ - 1 == dies_at_ && dies_after_) Die(dies_at_);
  }
  static void Die(std::uint64_t& at) {
    at = UINT64_MAX;
    throw Killed{};
  }

  std::vector<std::byte> memory_;
  std::vector<std::byte> undo_memory_;
  std::unique_ptr<const Plan> plan_;
  std::optional<StateRegion> region_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<std::string> outputs_;
  std::string padded_;
  Kept kept_;
  std::size_t next_ = 0;        // of the events
  std::uint64_t turn_ = 0;      // of the next turn
  std::uint64_t sequence_ = 0;  // of the next output
  std::uint64_t dies_at_ = UINT64_MAX;
  bool dies_after_ = false;
};

// A stream as devices make it: keys, jitter, late and unreadable messages, time, pauses.
inline std::vector<Event> RandomEvents(std::uint32_t seed, int count) {
  std::mt19937 random(seed);
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  std::vector<Event> events;
  std::int64_t now = 1'700'000'000'000'000;
  for (int i = 0; i < count; ++i) {
    now += pick(400) * 1'000;
    Event event;
    event.arrival = now;
    const int what = pick(40);
    if (what == 2) {
      event.kind = InputKind::kTick;
      event.arrival = now += pick(30'000) * 1'000;
    } else if (what < 2) {
      event.kind = what == 0    ? InputKind::kPause
                   : i % 4 == 0 ? InputKind::kStood
                                : InputKind::kResume;
      event.payload = Stood(now - i % 3 * 1'000'000, now);
    } else {
      const int late = pick(10) == 0 ? pick(20'000) : pick(1'000);
      event.topic = "s/d" + std::to_string(pick(6)) + "/v";
      event.payload = what == 3   ? "{\"ts\":"
                      : what == 4 ? "{\"v\":1}"
                                  : "{\"ts\":" + std::to_string(now / 1'000 - late) +
                                        ",\"v\":" + std::to_string(pick(2'000) - 300) + "." +
                                        std::to_string(pick(100)) + ",\"room\":\"r" +
                                        std::to_string(pick(3)) + "\"}";
    }
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace runnel
