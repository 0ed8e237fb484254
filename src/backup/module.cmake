holdfast_module(backup
  SOURCES backup_actions.cc backup_files.cc claim.cc claim_facts.cc cluster_restore_actions.cc collect.cc findings.cc
          finish_deployment_configs.cc item_action.cc json_edit.cc namespace_restorer.cc object_restorer.cc
          openshift_backup_actions.cc openshift_restore_actions.cc pod_hooks.cc resource_modifiers.cc
          restore_files.cc restore_hooks.cc restore_items.cc restored_data.cc run_backup.cc run_restore.cc source_facts.cc
          spill_file.cc stream.cc tarball_reader.cc tarball_writer.cc type_index.cc unsaved_claims.cc volume_restore_actions.cc
          workload_restore_actions.cc
  DEPS base sync velero objstore kube
  LIBS ZLIB::ZLIB PkgConfig::ARCHIVE
  TESTS backup_actions_test.cc claim_test.cc collect_test.cc finish_deployment_configs_test.cc resource_modifiers_test.cc
        restore_actions_test.cc restore_items_test.cc restored_data_test.cc run_backup_test.cc run_restore_test.cc stream_test.cc
        tarball_test.cc unmounted_claims_test.cc)
if(TARGET holdfast_backup_tests)
  target_link_libraries(holdfast_backup_tests PRIVATE PkgConfig::ARCHIVE)
endif()

holdfast_fuzz(resource_modifiers resource_modifiers_fuzz.cc DEPS backup)
holdfast_fuzz(tarball tarball_fuzz.cc DEPS backup)
holdfast_fuzz(backup_claim backup_claim_fuzz.cc DEPS backup)

holdfast_program(objects_bench SOURCES bench/objects_bench.cc DEPS backup)
set_target_properties(objects_bench PROPERTIES EXCLUDE_FROM_ALL ON)
