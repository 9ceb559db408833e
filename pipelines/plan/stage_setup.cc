// What a Stage does once: it begins, takes up its state, and gives it to a successor.
#include <algorithm>
#include <cstring>
#include <utility>

#include "pipelines/codecs/codecs.h"
#include "pipelines/plan/stage.h"

namespace runnel {
namespace {

constexpr int kStateRoot = 0;
constexpr int kFirstStepRoot = 1;
constexpr std::size_t kArenaBytes = 256 * 1024;

}  // namespace

StageTools::StageTools(const CompiledPlan& plan, std::size_t stage) : arena(kArenaBytes) {
  const FieldTable& table = plan.TableOf(stage);
  if (stage == 0) {
    decoder = plan.decode_format->MakeDecoder(table, plan.unmentioned);
  } else {
    from_exchange = std::make_unique<ExchangeDecoder>(table, table, plan.unmentioned);
  }
  if (stage + 1 < plan.stages()) {
    to_exchange = std::make_unique<ExchangeEncoder>(plan.TableOf(stage + 1));
  }
  encoder = plan.encode_format->MakeEncoder();
  for (const auto& fields : plan.tables) records.push_back(std::make_unique<Record>(*fields));
  input = records[plan.InputTable(stage)].get();
}

std::shared_ptr<StageTools> Pipeline::MakeTools(const Plan& plan, std::size_t stage) {
  return std::make_shared<StageTools>(static_cast<const CompiledPlan&>(plan), stage);
}

Result<std::unique_ptr<Pipeline>> Pipeline::Create(const Plan& plan, std::size_t stage,
                                                   StateRegion& region, const Ledger& ledger,
                                                   std::shared_ptr<StageTools> tools) {
  return Stage::Create(static_cast<const CompiledPlan&>(plan), stage, region, ledger,
                       std::move(tools));
}

Stage::Stage(const CompiledPlan& plan, std::size_t stage, StateRegion& region,
             std::shared_ptr<StageTools> tools)
    : plan_(&plan),
      stage_(stage),
      has_captures_(!plan.captures.empty() && plan.InputTable(stage) == 0),
      hides_captures_(has_captures_ && plan.whole_record),
      region_(&region),
      tools_(std::move(tools)) {}

Result<std::unique_ptr<Pipeline>> Stage::Create(const CompiledPlan& plan, std::size_t stage,
                                                StateRegion& region, const Ledger& ledger,
                                                std::shared_ptr<StageTools> tools) {
  std::unique_ptr<Stage> created(new Stage(plan, stage, region, std::move(tools)));
  created->ledger_ = ledger;
  if (Status started = created->StartRuns(); !started.ok()) return started.error();
  return std::unique_ptr<Pipeline>(std::move(created));
}

Status Stage::StartRuns() {
  state_block_ = region_->root(kStateRoot);
  if (state_block_ == StateRegion::kNone) {
    state_block_ = region_->Allocate(sizeof(State));
    const StateRegion::Ref clock = region_->Allocate(sizeof(SilenceClock));
    if (state_block_ == StateRegion::kNone || clock == StateRegion::kNone) {
      return Error{ErrorKind::kFix, "limits.state has no room for a pipeline"};
    }
    auto* fresh = region_->Get<State>(state_block_);
    fresh->clock = clock;
    std::fill(std::begin(fresh->sources), std::end(fresh->sources), kNever);
    region_->SetRoot(kStateRoot, state_block_);
  } else if (!region_->Contains(state_block_, sizeof(State)) ||
             !region_->Contains(state().clock, sizeof(SilenceClock))) {
    return Error{ErrorKind::kGiveUp, "the state of a pipeline is out of the region"};
  }
  if (Status kept = KeepSources(); !kept.ok()) return kept;
  for (std::size_t i = plan_->FirstStep(stage_); i < plan_->EndStep(stage_); ++i) {
    Result<std::unique_ptr<OperatorRun>> run =
        plan_->steps[i].op->Start(*region_, kFirstStepRoot + static_cast<int>(i));
    if (!run.ok()) return run.error();
    runs_.push_back(std::move(run).value());
    runs_.back()->UseClock(silence());
    if (plan_->steps[i].op->ProducesRecords()) stateful_.push_back(runs_.back().get());
  }
  pending_ = FindPending();
  return {};
}

// The plan may have fewer tasks of the stage before than the one that left the state.
Status Stage::KeepSources() {
  if (!silence().IsSane()) return Error{ErrorKind::kGiveUp, "the state of a pipeline is damaged"};
  const std::size_t sources = stage_ == 0 ? 1 : plan_->partitions(stage_ - 1);
  region_->Change<SilenceClock>(state().clock)->KeepSources(static_cast<std::uint32_t>(sources));
  return {};
}

void Stage::Save(ByteWriter& writer) const {
  writer.Raw({reinterpret_cast<const char*>(&ledger_), sizeof(Ledger)});
  writer.Raw({reinterpret_cast<const char*>(&state()), sizeof(State)});
  writer.Raw({reinterpret_cast<const char*>(&silence()), sizeof(SilenceClock)});
  writer.Varint(runs_.size());
  for (const auto& run : runs_) {
    ByteWriter inner;
    run->Save(inner);
    writer.String(inner.bytes());
  }
}

// Steps without state may differ; the one with state must be the same.
Status Stage::Load(ByteReader& reader) {
  const std::string_view counts = reader.Raw(sizeof(Ledger));
  const std::string_view saved = reader.Raw(sizeof(State));
  const std::string_view saved_clock = reader.Raw(sizeof(SilenceClock));
  std::vector<std::string_view> with_state;
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    const std::string_view inner = reader.String();
    if (!inner.empty()) with_state.push_back(inner);
  }
  if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a saved pipeline is cut off"};
  std::memcpy(&ledger_, counts.data(), sizeof(Ledger));
  State& changed = ChangeState();
  const StateRegion::Ref clock = changed.clock;
  std::memcpy(&changed, saved.data(), sizeof(State));
  changed.clock = clock;
  std::memcpy(region_->Change<SilenceClock>(clock), saved_clock.data(), sizeof(SilenceClock));
  if (Status kept = KeepSources(); !kept.ok()) return kept;
  advanced_ = kNever;
  std::size_t next = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (plan_->steps[plan_->FirstStep(stage_) + i].op->StateMark().empty()) continue;
    if (next == with_state.size()) return Error{ErrorKind::kFix, "a step with state is new"};
    ByteReader inner(with_state[next++]);
    if (Status loaded = runs_[i]->Load(inner); !loaded.ok()) return loaded;
  }
  if (next != with_state.size()) return Error{ErrorKind::kFix, "a step with state is gone"};
  return {};
}

}  // namespace runnel
