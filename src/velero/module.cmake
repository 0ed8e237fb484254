holdfast_module(velero
  SOURCES gzip.cc item_operations.cc layout.cc metadata.cc names.cc resource_list.cc results.cc volume_info.cc
          types/backup.cc types/codec.cc types/requests.cc types/restore.cc types/volume.cc
  DEPS base
  LIBS OpenSSL::Crypto ZLIB::ZLIB
  TESTS files_test.cc gzip_test.cc layout_test.cc names_test.cc types_test.cc)

holdfast_fuzz(velero_metadata velero_metadata_fuzz.cc DEPS velero)
holdfast_fuzz(volumeinfo volumeinfo_fuzz.cc DEPS velero)
