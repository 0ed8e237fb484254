holdfast_module(ledger
  SOURCES book.cc clutter.cc manifest.cc service.cc
  DEPS base config crypto net
  LIBS PkgConfig::SQLITE
  TESTS book_test.cc manifest_test.cc service_test.cc)
holdfast_program(ledger SOURCES src/ledger/main.cc DEPS ledger)
holdfast_program(ledger-load SOURCES src/ledger/load.cc DEPS ledger)
