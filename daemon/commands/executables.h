// FindExecutable: the other programs of runnel.
#pragma once

#include <string>

namespace runnel {

// `name` beside this program (the build tree) or where the package puts it.
std::string FindExecutable(const std::string& name);

}  // namespace runnel
