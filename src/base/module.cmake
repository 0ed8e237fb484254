holdfast_module(base
  SOURCES check.cc clock.cc error.cc file.cc json.cc log.cc metrics.cc process.cc random.cc text.cc version.cc yaml.cc
  LIBS yaml-cpp prometheus-cpp::core
  TESTS clock_test.cc error_test.cc file_test.cc json_test.cc log_test.cc metrics_test.cc process_test.cc text_test.cc yaml_test.cc)
target_link_libraries(holdfast_base PUBLIC fmt::fmt Threads::Threads)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/base/version.cc PROPERTIES COMPILE_DEFINITIONS HOLDFAST_VERSION="${PROJECT_VERSION}")

holdfast_fuzz(json json_fuzz.cc DEPS base)
holdfast_fuzz(scalars scalars_fuzz.cc DEPS base)
holdfast_fuzz(yaml yaml_fuzz.cc DEPS base)
