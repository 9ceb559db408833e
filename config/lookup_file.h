// Lookup files: the tables of `enrich`, put into the pipeline that names them.
//
// A worker opens no files, and a file that changes must not change a replay: so the text
// travels in the plan, behind its path, and a changed file is a changed plan.
#pragma once

#include <string>
#include <vector>

#include "pipelines/spec/diagnostics.h"
#include "pipelines/spec/node.h"

namespace runnel {

// The largest file of a table, in bytes.
inline constexpr std::size_t kLookupFileMax = 16 << 20;

// Puts the text of each file behind its path, as `PATH\nTEXT`; a relative path counts from
// `folder`. Of a pipeline where that has been done before, the text is read again. Files
// that cannot be read go to `diagnostics`; false then.
bool ResolveLookupFiles(Node& root, const std::string& folder, Diagnostics& diagnostics);

// The paths in a pipeline that has been resolved.
std::vector<std::string> LookupFiles(const Node& root);

}  // namespace runnel
