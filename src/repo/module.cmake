holdfast_module(repo
  SOURCES blob_codec.cc blob_reader.cc blob_writer.cc cache.cc check.cc chunker.cc compress.cc config.cc forget.cc ids.cc index.cc
          index_file.cc key.cc local_identity.cc lock.cc lock_record.cc lock_sightings.cc pack.cc polynomial.cc repository.cc
          repository_open.cc snapshot.cc tree_references.cc unpacked.cc
          archive.cc archive_file.cc archive_parent.cc archive_targets.cc archive_tree.cc descriptor_budget.cc directory_trail.cc filesystem_read.cc filesystem_write.cc go_quote.cc ls.cc
          node_filter.cc node_json.cc node_time.cc restore.cc restore_files.cc target_directories.cc
          tree.cc tree_reader.cc
  DEPS sync crypto objstore
  LIBS OpenSSL::Crypto PkgConfig::ZSTD
  TESTS check_test.cc chunker_test.cc codec_test.cc forget_test.cc golden_test.cc lock_test.cc repository_init_test.cc
        repository_test.cc
        archive_test.cc deep_tree_test.cc go_quote_test.cc restore_golden_test.cc test_corpus.cc tree_test.cc)

holdfast_fuzz(tree tree_fuzz.cc DEPS repo)
holdfast_fuzz(go_quote go_quote_fuzz.cc DEPS repo)
holdfast_fuzz(chunker chunker_fuzz.cc DEPS repo)
holdfast_fuzz(index_file index_file_fuzz.cc DEPS repo)
holdfast_fuzz(key_file key_file_fuzz.cc DEPS repo)
holdfast_fuzz(pack_header pack_header_fuzz.cc DEPS repo)
holdfast_fuzz(snapshot snapshot_fuzz.cc DEPS repo)
holdfast_fuzz(zstd_frame zstd_frame_fuzz.cc DEPS repo)

if(BUILD_TESTING)
  add_executable(holdfast_repo_restic_tests ${CMAKE_SOURCE_DIR}/src/repo/restic_peer_test.cc)
  target_link_libraries(holdfast_repo_restic_tests PRIVATE holdfast_repo GTest::gtest)
  target_compile_definitions(holdfast_repo_restic_tests PRIVATE HOLDFAST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME repo_restic COMMAND holdfast_repo_restic_tests --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(repo_restic PROPERTIES LABELS peer SKIP_RETURN_CODE 77 TIMEOUT 600)
endif()

find_package(benchmark QUIET)
if(benchmark_FOUND)
  holdfast_program(repo_bench SOURCES bench/repo_bench.cc DEPS repo LIBS benchmark::benchmark)
  set_target_properties(repo_bench PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

if(BUILD_TESTING)
  set_tests_properties(repo PROPERTIES TIMEOUT 900)  # golden repositories have keys that take their time
endif()

# Trees: Debian's restic over the same files.
if(BUILD_TESTING)
  add_executable(holdfast_repo_restic_tree_tests ${CMAKE_SOURCE_DIR}/src/repo/restic_tree_test.cc
                                                 ${CMAKE_SOURCE_DIR}/src/repo/test_corpus.cc)
  target_link_libraries(holdfast_repo_restic_tree_tests PRIVATE holdfast_repo GTest::gmock GTest::gtest_main)
  add_test(NAME repo_restic_tree COMMAND holdfast_repo_restic_tree_tests --gtest_brief=1)
  set_tests_properties(repo_restic_tree PROPERTIES LABELS peer TIMEOUT 600)
endif()
