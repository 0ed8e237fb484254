# holdfast_precompile(TARGET library|tests): under HOLDFAST_PRECOMPILE, one precompiled header for all libraries and one for
# all tests. The sanitizer presets use it (parsing the standard library, fmt and Boost.JSON is half of what a source costs
# there); debug and release do not, so that a source that forgets an include is still found.
set(precompiled_library <algorithm> <array> <atomic> <chrono> <condition_variable> <deque> <filesystem> <functional> <map>
    <memory> <mutex> <optional> <random> <set> <span> <stop_token> <string> <string_view> <thread> <utility> <variant>
    <vector> <fmt/format.h> <fmt/ranges.h> <boost/json.hpp>)

function(holdfast_precompile target kind)
  if(NOT HOLDFAST_PRECOMPILE)
    return()
  endif()
  if(NOT TARGET precompiled_${kind})
    file(WRITE ${CMAKE_BINARY_DIR}/precompiled_${kind}.cc "")
    add_library(precompiled_${kind} OBJECT ${CMAKE_BINARY_DIR}/precompiled_${kind}.cc)
    target_link_libraries(precompiled_${kind} PRIVATE fmt::fmt)
    target_precompile_headers(precompiled_${kind} PRIVATE ${precompiled_library})
    if(kind STREQUAL tests)
      target_link_libraries(precompiled_${kind} PRIVATE GTest::gmock)
      target_precompile_headers(precompiled_${kind} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM precompiled_${kind})
  # ccache wants to see in the preprocessor's output that a precompiled header was used.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()
