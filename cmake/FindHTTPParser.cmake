# Finds http-parser, which ships no .pc file: gives HTTPParser::HTTPParser and HTTPParser_VERSION.
find_path(HTTPParser_INCLUDE_DIR http_parser.h)
find_library(HTTPParser_LIBRARY http_parser)
if(HTTPParser_INCLUDE_DIR)
  file(STRINGS ${HTTPParser_INCLUDE_DIR}/http_parser.h lines REGEX "#define HTTP_PARSER_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3" HTTPParser_VERSION "${lines}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(HTTPParser
  REQUIRED_VARS HTTPParser_LIBRARY HTTPParser_INCLUDE_DIR
  VERSION_VAR HTTPParser_VERSION)
if(HTTPParser_FOUND AND NOT TARGET HTTPParser::HTTPParser)
  add_library(HTTPParser::HTTPParser UNKNOWN IMPORTED)
  set_target_properties(HTTPParser::HTTPParser PROPERTIES
    IMPORTED_LOCATION ${HTTPParser_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${HTTPParser_INCLUDE_DIR})
endif()
mark_as_advanced(HTTPParser_INCLUDE_DIR HTTPParser_LIBRARY)
