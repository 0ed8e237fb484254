holdfast_module(config
  SOURCES help.cc parse.cc
  DEPS base
  TESTS command_test.cc)
