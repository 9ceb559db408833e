// CHECK: ends the process when the program itself is wrong, naming the operands.
//
// Never for anything that a file, a broker, a device or a worker can cause.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace runnel::internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: bug: CHECK(%s) failed\n", file, line, condition);
  std::abort();
}

}  // namespace runnel::internal

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::runnel::internal::CheckFailed(__FILE__, __LINE__, #condition))
