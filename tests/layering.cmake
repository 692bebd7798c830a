# Reads every source of the three floors and fails on: an include that points upward, a library that enters by a second
# door, an include not written from the root, a unit that does not include its own header first, a header without
# #pragma once, and a capturing lambda inside co_await (g++ 12 destroys its captures twice). Run by the build (target "layering"):
#   cmake -D ROOT=<tree> -P tests/layering.cmake
cmake_minimum_required(VERSION 3.25)

# What each floor may include of ours.
set(floors routing metrics proxy)
set(may_include_routing routing)
set(may_include_metrics routing metrics)
set(may_include_proxy routing metrics proxy)

# The doors: where a library's headers may be included. The rest of the house does not know that it exists.
set(libraries yaml-cpp prometheus-cpp nghttp2 openssl asio-and-beast re2 cld2 xxhash simdjson)
set(header_yaml-cpp "^yaml-cpp/")
set(door_yaml-cpp "^routing/config_loader_yaml\\.cc$")
set(header_prometheus-cpp "^prometheus/")
set(door_prometheus-cpp "^metrics/prometheus_(recorder|families|routes)\\.(cc|h)$")
set(header_nghttp2 "^nghttp2/")
set(door_nghttp2 "^proxy/h2_(session\\.cc|client\\.cc|callbacks\\.(h|cc))$")
set(header_openssl "^openssl/")
set(door_openssl "^proxy/(tls(_[a-z]+)*|sigv4|digest|aws/digest)\\.cc$")
set(header_asio-and-beast "^boost/(asio|beast)")
set(door_asio-and-beast "^proxy/")
set(header_re2 "^re2/")
set(door_re2 "^metrics/")
set(header_cld2 "^cld2/")
set(door_cld2 "^metrics/divergence/language\\.cc$")
set(header_xxhash "^xxhash")
set(door_xxhash "^(routing/hash|metrics/redaction)\\.cc$")  # decisions; hashes under a secret key
set(header_simdjson "^simdjson")
set(door_simdjson "^metrics/")

set(problems 0)
function(problem file what)
  message("${file}: ${what}")
  math(EXPR count "${problems} + 1")
  set(problems ${count} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/routing/*.h ${ROOT}/routing/*.cc ${ROOT}/metrics/*.h
  ${ROOT}/metrics/*.cc ${ROOT}/proxy/*.h ${ROOT}/proxy/*.cc)
if(NOT files)
  message(FATAL_ERROR "no sources under ${ROOT}")
endif()

foreach(file IN LISTS files)
  string(REGEX MATCH "^[a-z]+" floor ${file})
  file(STRINGS ${ROOT}/${file} includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")

  set(first_include "")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]+)[>\"].*$" "\\1" header "${line}")
    if(NOT first_include)
      set(first_include ${header})
    endif()

    if(line MATCHES "\"")
      string(REGEX MATCH "^[^/]+" owner ${header})
      if(NOT EXISTS ${ROOT}/${header} OR header MATCHES "\\.\\./")
        problem(${file} "\"${header}\" is not a path from the root of the tree")
      elseif(NOT owner IN_LIST may_include_${floor})
        problem(${file} "includes \"${header}\": ${floor}/ may not know ${owner}/")
      endif()
    endif()

    foreach(library IN LISTS libraries)
      if(header MATCHES "${header_${library}}" AND NOT file MATCHES "${door_${library}}")
        problem(${file} "a second door to ${library}: <${header}>")
      endif()
    endforeach()
  endforeach()

  file(STRINGS ${ROOT}/${file} lambdas REGEX "co_await[ (]*\\[[^]]")
  if(lambdas)
    problem(${file} "a capturing lambda inside co_await: make it a function that takes its arguments by value")
  endif()

  if(file MATCHES "\\.h$")
    file(STRINGS ${ROOT}/${file} guard LIMIT_COUNT 1 REGEX "^#pragma once$")
    if(NOT guard)
      problem(${file} "has no #pragma once")
    endif()
  else()
    # A unit that includes its own header first proves that the header compiles alone.
    string(REGEX REPLACE "\\.cc$" ".h" own_header ${file})
    if(EXISTS ${ROOT}/${own_header} AND NOT first_include STREQUAL own_header)
      problem(${file} "must include \"${own_header}\" first")
    endif()
  endif()
endforeach()

if(problems)
  message(FATAL_ERROR "${problems} break(s) of the house's layout (see ARCHITECTURE.md)")
endif()
