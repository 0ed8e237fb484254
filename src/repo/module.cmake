holdfast_module(repo
  SOURCES blob_codec.cc blob_reader.cc blob_writer.cc cache.cc check.cc chunker.cc compress.cc config.cc forget.cc ids.cc index.cc
          index_file.cc key.cc local_identity.cc lock.cc lock_record.cc pack.cc polynomial.cc repository.cc
          repository_open.cc snapshot.cc tree_references.cc unpacked.cc
          go_quote.cc node_json.cc node_time.cc tree.cc tree_reader.cc
  DEPS sync crypto objstore
  LIBS OpenSSL::Crypto PkgConfig::ZSTD
  TESTS chunker_test.cc codec_test.cc forget_test.cc golden_test.cc lock_test.cc repository_test.cc
        go_quote_test.cc tree_test.cc)

holdfast_fuzz(tree tree_fuzz.cc DEPS repo)
holdfast_fuzz(go_quote go_quote_fuzz.cc DEPS repo)
