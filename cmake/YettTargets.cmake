# A test that has not ended by then hangs.
set(YETT_TEST_SECONDS 120)
if(YETT_SANITIZERS)
  set(YETT_TEST_SECONDS 600)
endif()

# yett_library(NAME SOURCES file... [PUBLIC lib...] [PRIVATE lib...])
# A folder's static library, with the project's warnings, sanitizers and include root.
function(yett_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}
    PUBLIC ${ARG_PUBLIC}
    PRIVATE ${ARG_PRIVATE} project_warnings project_sanitizers)
endfunction()

# yett_unit_test(NAME SOURCES file... [LIBS lib...])
# A cmocka program, run by ctest under the label "unit".
function(yett_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} PkgConfig::CMOCKA project_warnings project_sanitizers)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT ${YETT_TEST_SECONDS})
endfunction()

# Target "fuzzers": all of them.
add_custom_target(fuzzers)

# yett_fuzz_target(NAME SOURCE file.c [LIBS lib...])
# SOURCE defines LLVMFuzzerTestOneInput(). Dictionary: tests/fuzz/NAME.dict; corpus: tests/fuzz/corpus/NAME/.
# With YETT_FUZZ it becomes a libFuzzer program; in every build ctest replays the corpus through it (label "fuzz").
function(yett_fuzz_target name)
  cmake_parse_arguments(ARG "" "SOURCE" "LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCE})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} project_warnings project_sanitizers)
  if(YETT_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(replay ${name} -runs=0 ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c)
    set(replay ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endif()
  add_test(NAME ${name} COMMAND ${replay})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT ${YETT_TEST_SECONDS})
  add_dependencies(fuzzers ${name})
  set_property(GLOBAL APPEND PROPERTY YETT_FUZZERS ${name})
endfunction()
