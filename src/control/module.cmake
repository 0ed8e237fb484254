holdfast_module(control
  SOURCES backup_controller.cc backup_sync.cc control_plane.cc deletion.cc location_controller.cc pod_volumes.cc requests.cc
          restore_controller.cc schedule_controller.cc
  DEPS base sync crypto velero objstore kube repo location backup
  TESTS location_controller_test.cc schedule_controller_test.cc)
