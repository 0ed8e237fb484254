# The fault stories: whole programs that are given bad input, killed, and lied to. What is killed and lied to is the
# program that users run; kill_at is preloaded into it, api_fault_proxy stands between it and the API server.
if(NOT HOLDFAST_SANITIZE)
  add_library(kill_at SHARED ${CMAKE_SOURCE_DIR}/tests/faults/kill_at.cc)
  target_link_libraries(kill_at PRIVATE ${CMAKE_DL_LIBS})
  set_target_properties(kill_at PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  holdfast_program(api_fault_proxy SOURCES tests/faults/api_fault_proxy.cc DEPS base net)

  foreach(story bad_input kill_sweep leader_change api_faults repo_cli volumes)
    add_test(NAME faults_${story} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/faults/${story}.py ${CMAKE_BINARY_DIR})
    set_tests_properties(faults_${story} PROPERTIES LABELS story SKIP_RETURN_CODE 77 TIMEOUT 900 RUN_SERIAL ON)
  endforeach()

  # The same with an S3 server that others wrote.
  set(with_s3 ${CMAKE_SOURCE_DIR}/tests/peers/run_s3_conformance.sh versitygw python3)
  add_test(NAME faults_bad_input_s3 COMMAND ${with_s3} ${CMAKE_SOURCE_DIR}/tests/faults/bad_input_s3.py ${CMAKE_BINARY_DIR})
  add_test(NAME faults_repo_cli_s3 COMMAND ${with_s3} ${CMAKE_SOURCE_DIR}/tests/faults/repo_cli.py ${CMAKE_BINARY_DIR} s3)
  set_tests_properties(faults_bad_input_s3 faults_repo_cli_s3 PROPERTIES LABELS peer SKIP_RETURN_CODE 77 TIMEOUT 600
                                                                         RUN_SERIAL ON)
endif()
