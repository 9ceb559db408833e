// TextProto: the text format of protocol buffers as a tree, without a schema.
//
// Enough for the conformance tests of CEL: scalars, messages in braces or angles,
// lists, extension names in brackets, adjacent strings, comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/result.h"

namespace runnel::conformance {

struct Field {
  std::string name;    // `expr`, or `[type.googleapis.com/…]`
  std::string scalar;  // of a string after its escapes, else as written
  bool is_string = false;
  std::vector<Field> fields;  // of a message

  // The first field of that name, or nullptr.
  const Field* Find(std::string_view wanted) const;
  // The scalar of the first field of that name, or empty.
  std::string_view Text(std::string_view wanted) const;
};

// The message as a field without a name.
Result<Field> ParseTextProto(std::string_view text);

}  // namespace runnel::conformance
