// FieldFiller: puts decoded fields into a record, by number or by name.
#pragma once

#include <string_view>
#include <vector>

#include "pipelines/codecs/codec.h"
#include "pipelines/codecs/name_index.h"

namespace runnel {

class FieldFiller final {
 public:
  // `table` is complete, and outlives this.
  FieldFiller(const FieldTable& table, Unmentioned unmentioned)
      : index_(table), unmentioned_(unmentioned) {}

  // The number of a field that the plan knows, or -1.
  int Find(std::string_view name) const { return index_.Find(name, NameDigest(name)); }
  bool keeps() const { return unmentioned_ == Unmentioned::kKeep; }
  bool Wants(std::string_view name) const { return keeps() || Find(name) >= 0; }

  // False where the record has a field of that name. Names that the plan does not mention
  // are compared by HasTwice, when all are there.
  bool Put(std::string_view name, const Value& value, Record& record) const {
    return PutAt(Find(name), name, value, record);
  }
  bool PutAt(int field, std::string_view name, const Value& value, Record& record) const {
    if (field >= 0) {
      const auto number = static_cast<std::uint16_t>(field);
      if (!record.Get(number).IsMissing()) return false;
      record.Add(number) = value;
    } else if (keeps()) {
      record.Append(name, value);
    }
    return true;
  }
  // Whether two of the fields that were kept by name are the same.
  bool HasTwice(const Record& record);

 private:
  NameIndex index_;
  Unmentioned unmentioned_;
  std::vector<std::string_view> names_;  // scratch
};

}  // namespace runnel
