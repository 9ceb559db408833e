# Every target is free of warnings with g++ 12 and clang 14.
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Optimising, it fires on `"text" + std::string` (GCC PR 105651).
  add_compile_options(-Wno-restrict)
endif()
