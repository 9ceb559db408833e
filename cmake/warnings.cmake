# Every target is free of warnings with g++ 12 and clang 14.
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
