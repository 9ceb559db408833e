// Record: one message, or one result of a window, on its way through a stage.
//
// A FieldTable, fixed when the plan is compiled, numbers the field names that the
// plan mentions: reading such a field is an array access. Fields that the plan
// does not mention are kept only where the whole record is passed on (then the
// plan says keep_all), in the order of the input; new fields come last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/base/time.h"
#include "pipelines/value/value.h"

namespace runnel {

// The names that one stage of a plan knows; immutable once the plan is made.
class FieldTable final {
 public:
  // The number of `name`, made on first sight. At most 1,000 names.
  std::uint16_t Intern(std::string_view name);
  // The number of `name`, or -1.
  int Find(std::string_view name) const;
  std::string_view name(std::uint16_t field) const { return names_[field]; }
  std::size_t size() const { return names_.size(); }
  // Of the names in their order.
  std::uint64_t Digest() const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint16_t> index_;
};

class Record final {
 public:
  // One entry of the visible record, in output order. `field` is the number in
  // the table, or kUnknown for a name that the plan does not mention.
  static constexpr std::uint16_t kUnknown = 0xffff;
  struct Entry {
    explicit Entry(std::uint16_t known) : field(known) {}
    Entry(std::string_view unknown, const Value& its_value)
        : field(kUnknown), name(unknown), value(its_value) {}

    std::uint16_t field;
    // Only of an unknown field; of others they are not set, since that would take longer
    // than reading many a field.
    union {
      std::string_view name;  // borrowed
    };
    union {
      Value value;
    };
  };

  // `table` outlives the record.
  explicit Record(const FieldTable& table) : table_(&table), values_(table.size()) {}

  // Forgets all fields; keeps memory.
  void Clear() {
    for (const Entry& entry : entries_) {
      if (entry.field != kUnknown) values_[entry.field] = Value();
    }
    entries_.clear();
  }

  // The value of a known field; missing when the record does not have it.
  const Value& Get(std::uint16_t field) const { return values_[field]; }
  // Sets a known field: in its place when the record has it, else last.
  void Set(std::uint16_t field, const Value& value) {
    if (values_[field].IsMissing()) entries_.emplace_back(field);
    values_[field] = value;
  }
  // A field that expressions see and the output does not: a capture of the topic.
  // Stays until it is set anew; Clear() leaves it.
  void SetHidden(std::uint16_t field, const Value& value) { values_[field] = value; }
  // Set, for a field that may be hidden: then it is visible and last.
  void Show(std::uint16_t field, const Value& value);
  // The place of a known field that the record does not have yet, as its last; the
  // caller stores a value there. REQUIRES: Get(field) is missing.
  Value& Add(std::uint16_t field) {
    entries_.emplace_back(field);
    return values_[field];
  }
  // Appends a field that the plan does not mention. REQUIRES: not there yet.
  void Append(std::string_view name, const Value& value) { Append(name) = value; }
  // The same; the caller stores the value before it appends another.
  Value& Append(std::string_view name) { return entries_.emplace_back(name, Value()).value; }
  // Sets a field that the plan does not mention: in its place when the record has it.
  void Replace(std::string_view name, const Value& value);
  // Takes a known field away, if it is there.
  void Remove(std::uint16_t field);
  // Gives a visible field another name, in its place; a field `to` is replaced.
  void Rename(std::uint16_t from, std::uint16_t to);

  const FieldTable& table() const { return *table_; }
  const std::vector<Entry>& entries() const { return entries_; }
  std::string_view NameOf(const Entry& entry) const {
    return entry.field == kUnknown ? entry.name : table_->name(entry.field);
  }
  const Value& ValueOf(const Entry& entry) const {
    return entry.field == kUnknown ? entry.value : values_[entry.field];
  }

  Time time{};     // event time when the pipeline names a timestamp, else arrival
  Time arrival{};  // when the daemon took it in
  std::string_view topic;
  std::uint16_t sink = 0;  // where it goes: index into Plan::sinks()
  bool is_result = false;  // made by an operator of this stage or of one before

 private:
  const FieldTable* table_;
  std::vector<Value> values_;   // by field number
  std::vector<Entry> entries_;  // visible fields in order
};

}  // namespace runnel
