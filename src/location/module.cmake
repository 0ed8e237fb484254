holdfast_module(location
  SOURCES backup_repository.cc location.cc volume_repository.cc
  DEPS base crypto velero objstore kube repo
  TESTS backup_repository_test.cc location_test.cc
  TEST_DEPS sync)
