// TopicTemplate: `site/a/climate/{device}` with the fields of a record filled in.
//
// `/ + # %` and control characters of a value are percent-encoded, so that a value
// never makes a level of its own. An empty level, a missing field and a value that is
// no scalar are errors of the record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/operators/operator.h"
#include "pipelines/spec/diagnostics.h"
#include "pipelines/value/record.h"

namespace runnel {

class TopicTemplate final {
 public:
  // `known`: the only names there are; nullptr for any. nullopt after an error.
  static std::optional<TopicTemplate> Compile(std::string_view text, const Position& position,
                                              FieldTable& fields, const KnownFields* known,
                                              Diagnostics& diagnostics);

  // Replaces `topic`. A literal reason on failure, else nullptr.
  const char* Render(const Record& record, std::string& topic) const;

 private:
  struct Part {
    std::string literal;
    int field = -1;  // -1: the literal
  };
  std::vector<Part> parts_;
};

}  // namespace runnel
