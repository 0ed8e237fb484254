holdfast_module(kube
  SOURCES api.cc client.cc controller.cc credentials.cc exec_plugin.cc fake_api.cc fake_deletion.cc fake_objects.cc
          fake_types.cc informer.cc kubeconfig.cc lease.cc patch.cc selector.cc strategic_patch.cc types.cc wire.cc
          work_queue.cc
  DEPS base sync net
  TESTS client_test.cc fake_api_test.cc informer_test.cc kubeconfig_test.cc lease_test.cc patch_test.cc
        selector_test.cc wire_test.cc work_queue_test.cc
  TEST_DEPS net_testing)

holdfast_fuzz(kubeconfig kubeconfig_fuzz.cc DEPS kube)
holdfast_fuzz(kube_patch kube_patch_fuzz.cc DEPS kube)
holdfast_fuzz(kube_selector kube_selector_fuzz.cc DEPS kube)
holdfast_fuzz(kube_wire kube_wire_fuzz.cc DEPS kube)
