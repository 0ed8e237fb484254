# The modules, lowest first; DEPS are the only modules whose headers a module may include (tools/layers.txt says so too).
holdfast_module(base
  SOURCES check.cc clock.cc error.cc file.cc json.cc log.cc metrics.cc random.cc text.cc yaml.cc
  LIBS yaml-cpp prometheus-cpp::core
  TESTS clock_test.cc error_test.cc file_test.cc json_test.cc log_test.cc metrics_test.cc text_test.cc yaml_test.cc)
target_link_libraries(holdfast_base PUBLIC fmt::fmt Threads::Threads)

holdfast_module(sync
  SOURCES retry.cc workers.cc
  DEPS base
  TESTS queue_test.cc retry_test.cc workers_test.cc)

holdfast_fuzz(json json_fuzz.cc DEPS base)
holdfast_fuzz(yaml yaml_fuzz.cc DEPS base)
