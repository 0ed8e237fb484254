holdfast_module(location
  SOURCES location.cc volume_repository.cc
  DEPS base crypto velero objstore kube repo
  TESTS location_test.cc
  TEST_DEPS sync)
