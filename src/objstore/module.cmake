holdfast_module(objstore
  SOURCES below.cc fault.cc fs.cc fs_temporary.cc fs_tree.cc keys.cc limit.cc mem.cc retry.cc
  DEPS base sync net
  LIBS OpenSSL::Crypto
  TESTS conformance_test.cc decorators_test.cc fs_test.cc keys_test.cc
  TEST_DEPS net_testing)
