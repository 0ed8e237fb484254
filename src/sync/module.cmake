holdfast_module(sync
  SOURCES retry.cc workers.cc
  DEPS base
  TESTS queue_test.cc retry_test.cc workers_test.cc)
