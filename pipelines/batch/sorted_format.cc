#include "pipelines/batch/sorted_format.h"

#include <algorithm>
#include <cstring>

#include "pipelines/batch/sort_key.h"

namespace runnel {
namespace {

class SortedEncoder final : public Encoder {
 public:
  SortedEncoder(const BatchPlan& plan, std::unique_ptr<Encoder> inner)
      : plan_(&plan), inner_(std::move(inner)) {
    if (plan.window == nullptr) return;
    for (const KeyPart& part : plan.window->key.parts) names_.push_back(part.name);
  }

  Outcome Encode(const Record& record, std::string& out) override {
    key_.clear();
    if (record.is_result) MakeKey(record);
    out += record.is_result ? '\1' : '\0';
    const auto size = static_cast<std::uint32_t>(key_.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out += key_;
    if (plan_->refuses_other_fields && !HasColumns(record)) {
      return Outcome::Failed("field_without_column");
    }
    const Outcome outcome = inner_->Encode(record, out);
    if (outcome.ok() && out.back() != '\n') out += '\n';
    return outcome;
  }

 private:
  bool HasColumns(const Record& record) const {
    return std::all_of(record.entries().begin(), record.entries().end(), [&](const auto& entry) {
      return std::find(plan_->columns.begin(), plan_->columns.end(), record.NameOf(entry)) !=
             plan_->columns.end();
    });
  }

  void MakeKey(const Record& record) {
    std::int64_t start = Milliseconds(record.time);
    for (const Record::Entry& entry : record.entries()) {
      if (record.NameOf(entry) == "start" && record.ValueOf(entry).type() == Type::kInt) {
        start = record.ValueOf(entry).AsInt();
      }
    }
    AppendSortNumber(start, key_);
    for (const std::string& name : names_) {
      for (const Record::Entry& entry : record.entries()) {
        if (record.NameOf(entry) == name) AppendSortPart(record.ValueOf(entry), key_);
      }
    }
    AppendSortNumber(Microseconds(record.time), key_);
  }

  const BatchPlan* plan_;
  std::unique_ptr<Encoder> inner_;
  std::vector<std::string> names_;  // of the key's fields
  std::string key_;
};

class SortedFormat final : public Format {
 public:
  SortedFormat(const BatchPlan& plan, std::unique_ptr<const Format> inner)
      : plan_(&plan), inner_(std::move(inner)) {}
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return inner_->MakeDecoder(table, unmentioned);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<SortedEncoder>(*plan_, inner_->MakeEncoder());
  }

 private:
  const BatchPlan* plan_;
  std::unique_ptr<const Format> inner_;
};

}  // namespace

std::unique_ptr<const Format> MakeSortedFormat(const BatchPlan& plan,
                                               std::unique_ptr<const Format> inner) {
  return std::make_unique<SortedFormat>(plan, std::move(inner));
}

SortedLine ReadSortedLine(std::string_view payload) {
  SortedLine line;
  std::uint32_t size = 0;
  if (payload.size() < 1 + sizeof size) return line;
  std::memcpy(&size, payload.data() + 1, sizeof size);
  payload = payload.substr(1 + sizeof size);
  if (size > payload.size()) return line;
  line.is_result = size > 0;
  line.key = payload.substr(0, size);
  line.line = payload.substr(size);
  return line;
}

}  // namespace runnel
