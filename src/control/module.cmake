holdfast_module(control
  SOURCES backup_controller.cc backup_sync.cc control_plane.cc deletion.cc follower.cc holder.cc leftovers.cc location_controller.cc mover.cc pod_volumes.cc requests.cc
          restore_controller.cc schedule_controller.cc stored_backup.cc volume_repositories.cc
  DEPS base sync crypto velero objstore kube repo location backup
  TESTS backup_controller_test.cc backup_restore_test.cc controller_faults_test.cc deletion_test.cc leftovers_test.cc location_controller_test.cc mover_test.cc restore_controller_test.cc schedule_controller_test.cc volume_repositories_test.cc
  TEST_DEPS node)
