holdfast_module(velero
  SOURCES crds.cc crds_data.cc cron.cc describe.cc describe_json.cc describe_parts.cc describe_table.cc filter.cc gzip.cc hooks.cc item_operations.cc layout.cc metadata.cc names.cc resource_list.cc resource_policy.cc results.cc schedule.cc selector.cc tab_text.cc validate.cc volume_info.cc volume_rules.cc zone.cc
          types/backup.cc types/codec.cc types/requests.cc types/restore.cc types/volume.cc
  DEPS base
  LIBS OpenSSL::Crypto ZLIB::ZLIB
  TESTS crds_test.cc cron_test.cc describe_test.cc files_test.cc filter_test.cc gzip_test.cc layout_test.cc names_test.cc pod_rules_test.cc resource_policy_test.cc types_test.cc validate_test.cc)

holdfast_fuzz(gzip gzip_fuzz.cc DEPS velero)
holdfast_fuzz(pod_annotations pod_annotations_fuzz.cc DEPS velero)
holdfast_fuzz(velero_metadata velero_metadata_fuzz.cc DEPS velero)
holdfast_fuzz(volumeinfo volumeinfo_fuzz.cc DEPS velero)
holdfast_fuzz(velero_glob velero_glob_fuzz.cc DEPS velero)
holdfast_fuzz(resource_policy resource_policy_fuzz.cc DEPS velero)
holdfast_fuzz(velero_cron velero_cron_fuzz.cc DEPS velero)

add_test(NAME velero_crds COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/generate_crds.py --check)
