find_package(EXPAT REQUIRED)

holdfast_module(objstore
  SOURCES below.cc checksum.cc credentials.cc fault.cc fs.cc fs_temporary.cc fs_tree.cc keys.cc limit.cc mem.cc open.cc
          probe.cc retry.cc
          s3.cc s3_answers.cc s3_client.cc s3_errors.cc s3_upload.cc sigv4.cc without.cc
  DEPS base sync net
  LIBS EXPAT::EXPAT OpenSSL::Crypto ZLIB::ZLIB
  TESTS conformance_test.cc credentials_test.cc decorators_test.cc fs_test.cc keys_test.cc open_test.cc probe_test.cc
        s3_answers_test.cc s3_test.cc
        sigv4_test.cc
  TEST_DEPS net_testing)

holdfast_fuzz(s3_answers s3_answers_fuzz.cc DEPS objstore)
holdfast_fuzz(credentials credentials_fuzz.cc DEPS objstore)

# The s3 driver against S3 servers that others wrote.
if(BUILD_TESTING)
  add_executable(holdfast_objstore_s3_tests ${CMAKE_SOURCE_DIR}/src/objstore/s3_peer_test.cc)
  target_link_libraries(holdfast_objstore_s3_tests PRIVATE holdfast_objstore GTest::gmock GTest::gtest_main)
  foreach(peer versitygw versitygw-tls moto)
    add_test(NAME objstore_s3_${peer} COMMAND ${CMAKE_SOURCE_DIR}/tests/peers/run_s3_conformance.sh ${peer}
                                              $<TARGET_FILE:holdfast_objstore_s3_tests> --gtest_brief=1)
    set_tests_properties(objstore_s3_${peer} PROPERTIES LABELS peer SKIP_RETURN_CODE 77 TIMEOUT 600)
  endforeach()
endif()

# Built on demand: Google Benchmark belongs to the packages of ./dev bench.
find_package(benchmark QUIET)
if(benchmark_FOUND)
  holdfast_program(objstore_bench SOURCES bench/objstore_bench.cc DEPS objstore LIBS benchmark::benchmark)
  set_target_properties(objstore_bench PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
