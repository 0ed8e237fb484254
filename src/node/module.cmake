holdfast_module(node
  SOURCES agent.cc engine_share.cc host_volumes.cc pod_volume_backup.cc pod_volume_metrics.cc pod_volume_restore.cc
    restore_marks.cc restore_wait.cc work.cc
  DEPS base crypto velero objstore kube repo location sync
  TESTS restore_wait_test.cc host_volumes_test.cc agent_test.cc pod_volume_test.cc)
