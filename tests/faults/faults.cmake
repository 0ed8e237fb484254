# The fault stories: whole programs that are given bad input, killed, and lied to.
foreach(story bad_input)
  add_test(NAME faults_${story} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/faults/${story}.py ${CMAKE_BINARY_DIR})
  set_tests_properties(faults_${story} PROPERTIES LABELS story SKIP_RETURN_CODE 77 TIMEOUT 600 RUN_SERIAL ON)
endforeach()
