// ReadWholeFile: the bytes of a small file, and why it could not be read.
#pragma once

#include <cstddef>
#include <string>

#include "pipelines/base/result.h"

namespace runnel {

// Refuses folders and files of more than `bytes_max`.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t bytes_max);

}  // namespace runnel
