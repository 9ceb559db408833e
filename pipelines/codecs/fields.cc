#include "pipelines/codecs/fields.h"

#include "pipelines/codecs/json_reader.h"

namespace runnel {

bool FieldFiller::HasTwice(const Record& record) {
  if (!keeps()) return false;
  names_.clear();
  for (const Record::Entry& entry : record.entries()) {
    if (entry.field == Record::kUnknown) names_.push_back(entry.name);
  }
  return HasDuplicate(names_);
}

}  // namespace runnel
