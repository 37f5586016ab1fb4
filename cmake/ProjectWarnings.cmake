# Warnings and hardening every target of ours is compiled with.
option(YETT_WERROR "Treat warnings as errors" OFF)
add_library(project_warnings INTERFACE)
target_compile_definitions(project_warnings INTERFACE _GNU_SOURCE)
target_compile_options(project_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith -Wcast-qual
  -fstack-protector-strong -fno-strict-overflow
  $<$<BOOL:${YETT_WERROR}>:-Werror>)
if(NOT YETT_SANITIZERS) # fortified functions hide from the sanitizers what they look for
  target_compile_options(project_warnings INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection>)
endif()
target_link_options(project_warnings INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
