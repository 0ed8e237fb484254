holdfast_module(demo
  SOURCES backup_watch.cc checks.cc doors.cc lab_sites.cc ledger_client.cc load.cc obstacles.cc page.cc progress.cc
          report.cc sandbox_sites.cc site_view.cc store_place.cc story.cc verbs.cc
  DEPS base config crypto velero net kube sandbox install
  TESTS checks_test.cc report_test.cc site_view_test.cc store_place_test.cc)

# On real clusters it is a story of the lab: tests/lab/stories/demo.sh.
if(BUILD_TESTING)
  add_test(NAME demo_sandbox COMMAND ${CMAKE_SOURCE_DIR}/tests/demo/run.sh ${CMAKE_BINARY_DIR} sandbox)
  add_test(NAME demo_sandbox_s3 COMMAND ${CMAKE_SOURCE_DIR}/tests/demo/run.sh ${CMAKE_BINARY_DIR} sandbox-s3)
  set_tests_properties(demo_sandbox PROPERTIES LABELS story SKIP_RETURN_CODE 77 TIMEOUT 600 RUN_SERIAL ON)
  set_tests_properties(demo_sandbox_s3 PROPERTIES LABELS peer SKIP_RETURN_CODE 77 TIMEOUT 600 RUN_SERIAL ON)
endif()
