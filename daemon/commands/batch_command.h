// The words behind `runnel batch`.
#pragma once

#include <string>
#include <vector>

#include "daemon/batch/options.h"

namespace runnel {

// Fills `options`; empty, or what is wrong with the words and a hint.
std::string ParseBatchWords(const std::vector<std::string>& words, BatchOptions& options);
std::string BatchHelp();

}  // namespace runnel
