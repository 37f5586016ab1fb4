# YETT_SANITIZERS: a list for -fsanitize=, such as "address,undefined" or "thread". Set by the presets.
set(YETT_SANITIZERS "" CACHE STRING "Sanitizers to build with")
option(YETT_FUZZ "Build libFuzzer programs (clang)" OFF)
option(YETT_COVERAGE "Build with coverage counters" OFF)
add_library(project_sanitizers INTERFACE)
if(YETT_SANITIZERS)
  target_compile_options(project_sanitizers INTERFACE
    -fsanitize=${YETT_SANITIZERS} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(project_sanitizers INTERFACE -fsanitize=${YETT_SANITIZERS})
  # Options and suppressions are part of each program: the sandbox of a worker would not let it read a file of them.
  target_sources(project_sanitizers INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${PROJECT_SOURCE_DIR}/tests/sanitizers/defaults.c>)
endif()
if(YETT_FUZZ)
  target_compile_options(project_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(YETT_COVERAGE)
  target_compile_options(project_sanitizers INTERFACE --coverage)
  target_link_options(project_sanitizers INTERFACE --coverage)
endif()
