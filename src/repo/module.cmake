holdfast_module(repo
  SOURCES cache.cc chunker.cc compress.cc config.cc ids.cc index.cc index_file.cc key.cc local_identity.cc lock.cc
          lock_record.cc pack.cc polynomial.cc snapshot.cc unpacked.cc
  DEPS sync crypto objstore
  LIBS OpenSSL::Crypto PkgConfig::ZSTD)
