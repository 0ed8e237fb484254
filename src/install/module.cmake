holdfast_module(install
  SOURCES installation.cc rights.cc workloads.cc
  DEPS base velero
  TESTS installation_test.cc)
