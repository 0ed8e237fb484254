holdfast_module(repo
  SOURCES blob_codec.cc blob_reader.cc blob_writer.cc cache.cc chunker.cc compress.cc config.cc ids.cc index.cc
          index_file.cc key.cc local_identity.cc lock.cc lock_record.cc pack.cc polynomial.cc repository.cc
          repository_open.cc snapshot.cc tree_references.cc unpacked.cc
  DEPS sync crypto objstore
  LIBS OpenSSL::Crypto PkgConfig::ZSTD)
