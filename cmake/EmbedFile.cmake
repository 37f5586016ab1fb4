# yett_embed_file(FILE OUT): the bytes of FILE as the inside of a C initializer, "0x23,0x20,...", in
# ${PROJECT_BINARY_DIR}/generated/OUT; made anew when FILE changes and cmake runs.
function(yett_embed_file file out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n"
    bytes "${bytes}") # a line is 16 bytes
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${out} CONTENT "${bytes}\n" @ONLY)
endfunction()
