holdfast_module(repo
  SOURCES chunker.cc compress.cc config.cc ids.cc index.cc index_file.cc key.cc pack.cc polynomial.cc snapshot.cc
  DEPS sync crypto objstore
  LIBS OpenSSL::Crypto PkgConfig::ZSTD)
