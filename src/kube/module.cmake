holdfast_module(kube
  SOURCES api.cc client.cc controller.cc credentials.cc exec_plugin.cc fake_api.cc fake_deletion.cc fake_objects.cc
          fake_types.cc informer.cc kubeconfig.cc lease.cc patch.cc selector.cc strategic_patch.cc types.cc wire.cc
          work_queue.cc
  DEPS base sync net
  TESTS client_test.cc fake_api_contract_test.cc fake_api_test.cc informer_test.cc kubeconfig_test.cc lease_test.cc patch_test.cc
        selector_test.cc wire_test.cc work_queue_test.cc
  TEST_DEPS net_testing)

holdfast_fuzz(kubeconfig kubeconfig_fuzz.cc DEPS kube)
holdfast_fuzz(kube_patch kube_patch_fuzz.cc DEPS kube)
holdfast_fuzz(kube_selector kube_selector_fuzz.cc DEPS kube)
holdfast_fuzz(kube_wire kube_wire_fuzz.cc DEPS kube)

# Against a real kube-apiserver: the script starts one and skips, by name and reason, where its toolchain is missing.
if(BUILD_TESTING)
  add_executable(holdfast_kube_peer_tests ${CMAKE_SOURCE_DIR}/src/kube/client_peer_test.cc)
  target_link_libraries(holdfast_kube_peer_tests PRIVATE holdfast_kube GTest::gmock)
  add_test(NAME kube_peer COMMAND ${CMAKE_SOURCE_DIR}/tests/peers/run_kube_client.sh $<TARGET_FILE:holdfast_kube_peer_tests>)
  set_tests_properties(kube_peer PROPERTIES LABELS peer TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
