#include "pipelines/value/record.h"

#include <algorithm>

#include "pipelines/base/hash.h"

namespace runnel {

std::uint16_t FieldTable::Intern(std::string_view name) {
  const auto [found, made] =
      index_.emplace(std::string(name), static_cast<std::uint16_t>(names_.size()));
  if (made) names_.emplace_back(name);
  return found->second;
}

std::uint64_t FieldTable::Digest() const {
  std::uint64_t digest = names_.size();
  for (const std::string& name : names_) digest = Hash(name, digest);
  return digest;
}

int FieldTable::Find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? -1 : found->second;
}

void Record::Show(std::uint16_t field, const Value& value) {
  const bool visible = std::any_of(entries_.begin(), entries_.end(),
                                   [field](const Entry& entry) { return entry.field == field; });
  if (!visible) entries_.emplace_back(field);
  values_[field] = value;
}

void Record::Replace(std::string_view name, const Value& value) {
  for (Entry& entry : entries_) {
    if (entry.field != kUnknown || entry.name != name) continue;
    entry.value = value;
    return;
  }
  Append(name, value);
}

void Record::Remove(std::uint16_t field) {
  if (values_[field].IsMissing()) return;
  values_[field] = Value();
  std::erase_if(entries_, [field](const Entry& entry) { return entry.field == field; });
}

void Record::Rename(std::uint16_t from, std::uint16_t to) {
  if (from == to || values_[from].IsMissing()) return;
  const Value value = values_[from];
  values_[from] = Value();
  for (Entry& entry : entries_) {
    if (entry.field != from) continue;
    Remove(to);
    // Removing may have moved it.
    for (Entry& moved : entries_) {
      if (moved.field == from) moved.field = to;
    }
    values_[to] = value;
    return;
  }
  Show(to, value);  // it was hidden
}

}  // namespace runnel
