holdfast_module(repo
  SOURCES ids.cc
  DEPS sync crypto
  LIBS OpenSSL::Crypto PkgConfig::ZSTD)
