// Regular expressions, as far as the checker needs to know them.
#pragma once

#include <string>
#include <string_view>

namespace runnel::expr {

// What is wrong with a pattern, in RE2's words; empty: nothing.
std::string RegexProblem(std::string_view pattern);

}  // namespace runnel::expr
