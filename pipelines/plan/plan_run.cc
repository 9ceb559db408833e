#include "pipelines/plan/plan_run.h"

#include <deque>
#include <utility>

#include "pipelines/base/hash.h"
#include "pipelines/codecs/codec.h"
#include "pipelines/plan/endpoints.h"

namespace runnel {

// A record that waits for its turn.
struct PlanRun::Event {
  InputKind kind = InputKind::kMessage;
  Time arrival{};
  std::uint32_t source = 0;
  std::string topic;
  std::string payload;
};

struct PlanRun::Task final : OutputSink {
  explicit Task(PlanRun& all, std::size_t stage_number, std::uint32_t task_number)
      : run(all), stage(stage_number), number(task_number) {}
  void Write(const Output& output) override;

  PlanRun& run;
  std::size_t stage;
  std::uint32_t number;
  std::unique_ptr<StateRegion> region;
  std::unique_ptr<Pipeline> pipeline;
  std::deque<Event> inbox;
};

void PlanRun::Task::Write(const Output& output) {
  const auto& stages = run.stages_;
  switch (output.kind) {
    case OutputKind::kResult:
    case OutputKind::kDeadLetter:
      return run.take_(output);
    case OutputKind::kExchange: {
      const Event event{InputKind::kExchange, output.time, number, {}, std::string(output.payload)};
      return run.Send(stage + 1, output.shard % stages[stage + 1].size(), event);
    }
    case OutputKind::kTick:
      for (std::size_t i = 0; i < stages[stage + 1].size(); ++i) {
        run.Send(stage + 1, i,
                 {static_cast<InputKind>(output.shard),
                  output.time,
                  number,
                  {},
                  std::string(output.payload)});
      }
  }
}

PlanRun::PlanRun(const Plan& plan, Take take) : plan_(&plan), take_(std::move(take)) {}
PlanRun::~PlanRun() = default;

Result<std::unique_ptr<PlanRun>> PlanRun::Create(const Plan& plan, std::size_t state_bytes,
                                                 Take take) {
  std::unique_ptr<PlanRun> run(new PlanRun(plan, std::move(take)));
  run->state_bytes_ = state_bytes;
  for (std::size_t stage = 0; stage < plan.stages(); ++stage) {
    auto& tasks = run->stages_.emplace_back();
    for (std::uint32_t i = 0; i < plan.partitions(stage); ++i) {
      tasks.push_back(std::make_unique<Task>(*run, stage, i));
      if (Status started = run->StartTask(*tasks.back(), stage); !started.ok()) {
        return started.error();
      }
    }
  }
  return run;
}

Status PlanRun::StartTask(Task& task, std::size_t stage) {
  task.pipeline.reset();
  task.region = std::make_unique<StateRegion>(StateRegion::InMemory(state_bytes_));
  Result<std::unique_ptr<Pipeline>> pipeline =
      Pipeline::Create(*plan_, stage, *task.region, Ledger{});
  if (!pipeline.ok()) return pipeline.error();
  task.pipeline = std::move(pipeline).value();
  return {};
}

// As the daemon picks it, by the captures that make the key or by the topic.
std::size_t PlanRun::FirstTask(std::string_view topic) const {
  std::string key;
  const std::vector<Capture> captures = CapturesOf(plan_->source().topic);
  for (const std::uint16_t wanted : plan_->sharding().captures) {
    std::size_t begin = 0;
    for (std::uint32_t level = 0; level < captures[wanted].level; ++level) {
      begin = std::min(topic.find('/', begin), topic.size() - 1) + 1;
    }
    const std::size_t end = std::min(topic.find('/', begin), topic.size());
    key.append(topic.substr(begin, end - begin)).append(1, '\0');
  }
  return Hash(key.empty() ? topic : std::string_view(key)) % stages_[0].size();
}

void PlanRun::Send(std::size_t stage, std::size_t task, const Event& event) {
  stages_[stage][task]->inbox.push_back(event);
}

void PlanRun::Push(std::string_view topic, std::string_view payload) {
  Send(0, FirstTask(topic),
       {InputKind::kMessage, now_, 0, std::string(topic), std::string(payload)});
  Drain();
}

// Later stages first, as the workers host them.
void PlanRun::Drain() {
  for (bool worked = true; worked;) {
    worked = false;
    for (std::size_t stage = stages_.size(); stage-- > 0 && !worked;) {
      for (const auto& task : stages_[stage]) {
        while (task->pipeline->HasPending()) task->pipeline->Step({}, *task);
        if (task->inbox.empty()) continue;
        const Event event = std::move(task->inbox.front());
        task->inbox.pop_front();
        std::string padded = event.payload;
        padded.append(Decoder::kPadding, '\0');
        Input input;
        input.kind = event.kind;
        input.arrival = event.arrival;
        input.topic = event.topic;
        input.payload = std::string_view(padded).substr(0, event.payload.size());
        input.source = event.source;
        task->pipeline->Push(input, {}, *task);
        while (task->pipeline->HasPending()) task->pipeline->Step({}, *task);
        worked = true;
      }
    }
  }
}

void PlanRun::PushTime(InputKind kind, Time time) {
  for (std::size_t i = 0; i < stages_[0].size(); ++i) Send(0, i, {kind, time, 0, {}, {}});
  Drain();
}

void PlanRun::AdvanceTo(Time now) {
  if (!started_) {
    started_ = true;
    now_ = now;
    return PushTime(InputKind::kResume, now);
  }
  for (std::optional<Time> next = NextDeadline(); next.has_value() && *next <= now;
       next = NextDeadline()) {
    const Time before = now_;
    now_ = std::max(now_, *next);
    PushTime(InputKind::kTick, now_);
    if (now_ == before && NextDeadline() == next) break;  // it waits for more than time
  }
  now_ = std::max(now_, now);
}

std::optional<Time> PlanRun::NextDeadline() const {
  std::optional<Time> next;
  for (const auto& tasks : stages_) {
    for (const auto& task : tasks) {
      const std::optional<Time> deadline = task->pipeline->NextDeadline();
      if (deadline.has_value() && (!next.has_value() || *deadline < *next)) next = deadline;
    }
  }
  return next;
}

void PlanRun::End() {
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    for (std::size_t i = 0; i < stages_[stage].size(); ++i) {
      Send(stage, i, {InputKind::kEnd, now_, 0, {}, {}});
    }
    Drain();
  }
}

Ledger PlanRun::ledger() const {
  Ledger sum;
  for (const auto& tasks : stages_) {
    for (const auto& task : tasks) sum.Add(task->pipeline->ledger());
  }
  return sum;
}

Status PlanRun::Reload() {
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    for (const auto& task : stages_[stage]) {
      ByteWriter writer;
      task->pipeline->Save(writer);
      const std::string saved(writer.bytes());
      if (Status started = StartTask(*task, stage); !started.ok()) return started;
      ByteReader reader(saved);
      if (Status loaded = task->pipeline->Load(reader); !loaded.ok()) return loaded;
    }
  }
  return {};
}

}  // namespace runnel
