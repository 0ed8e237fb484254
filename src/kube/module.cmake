holdfast_module(kube
  SOURCES api.cc controller.cc fake_api.cc fake_deletion.cc fake_objects.cc fake_types.cc informer.cc lease.cc patch.cc
          selector.cc strategic_patch.cc types.cc work_queue.cc
  DEPS base sync net
  TESTS fake_api_test.cc informer_test.cc lease_test.cc patch_test.cc selector_test.cc work_queue_test.cc)
