# The program itself. A verb is one file of cli/ and one line in main.cc.
holdfast_program(holdfast
  SOURCES src/app/main.cc src/app/cli/completion.cc
  DEPS config)
