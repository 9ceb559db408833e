#include "pipelines/batch/result_writer.h"

#include <algorithm>

namespace runnel {

ResultWriter::ResultWriter(const BatchPlan& plan)
    : plan_(&plan), encoder_(plan.plan().encode_format->MakeEncoder()) {
  const FieldTable& table = *plan.plan().tables.back();
  for (std::uint16_t i = 0; i < table.size(); ++i) {
    has_column_.push_back(std::find(plan.columns.begin(), plan.columns.end(), table.name(i)) !=
                          plan.columns.end());
  }
}

bool ResultWriter::HasColumns(const Record& record) {
  for (const Record::Entry& entry : record.entries()) {
    if (entry.field != Record::kUnknown) {
      if (!has_column_[entry.field]) return false;
    } else if (std::find(plan_->columns.begin(), plan_->columns.end(), entry.name) ==
               plan_->columns.end()) {
      return false;
    }
  }
  return true;
}

const char* ResultWriter::Append(const Record& record, std::string& out) {
  if (plan_->refuses_other_fields && !HasColumns(record)) return "field_without_column";
  const std::size_t before = out.size();
  const Outcome outcome = encoder_->Encode(record, out);
  const char* reason = outcome.reason();
  if (reason == nullptr && out.size() - before > plan_->record_max) reason = "result_too_large";
  if (reason != nullptr) {
    out.resize(before);
  } else if (out.empty() || out.back() != '\n') {
    out += '\n';
  }
  return reason;
}

}  // namespace runnel
