// Places: whether the outputs of a run may go where they are to go.
#pragma once

#include <string>
#include <vector>

#include "daemon/batch/inputs.h"
#include "daemon/batch/options.h"

namespace runnel {

// Where rows go that could not be used; empty: nowhere.
std::string RejectsPath(const BatchOptions& options);
// Where these are written until they are whole: beside it, as another file system would not take
// them in one step.
std::string RejectsPart(const BatchOptions& options);
// The file that a link stands for, so that the link stays when an output takes its place.
std::string BehindLinks(const std::string& path);
// What is wrong; empty where nothing is. An output takes the place of what has its name at the end,
// so it must be neither an input nor the pipeline, and a file if it is there. What the run has
// beside its outputs meanwhile is no input either.
std::string WrongPlace(const BatchOptions& options, const std::vector<InputFile>& inputs);

}  // namespace runnel
