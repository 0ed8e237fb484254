holdfast_module(sandbox
  SOURCES apiserver/api_request.cc apiserver/builtin_kinds.cc apiserver/custom_schema.cc apiserver/defaults.cc
          apiserver/discovery.cc apiserver/node_proxy.cc apiserver/object_writer.cc apiserver/openapi.cc
          apiserver/rbac.cc apiserver/refusal.cc apiserver/registry.cc apiserver/representation.cc
          apiserver/resource_handler.cc apiserver/scale.cc apiserver/server.cc apiserver/server_side_apply.cc
          apiserver/service_account_tokens.cc apiserver/service_addresses.cc apiserver/store.cc apiserver/store_log.cc
          apiserver/table.cc apiserver/watch_stream.cc controllers/controllers.cc controllers/daemon_set.cc
          controllers/deployment.cc controllers/deployment_config.cc controllers/endpoints.cc
          controllers/garbage_collector.cc controllers/job.cc controllers/namespaces.cc controllers/objects.cc
          controllers/replicas.cc controllers/scheduler.cc controllers/stateful_set.cc controllers/volumes.cc
          node/container.cc node/container_plan.cc node/container_process.cc node/exec_session.cc node/node.cc
          node/pod_runner.cc node/pod_status.cc node/probe.cc node/service_proxy.cc node/volumes.cc
          site/forwarder.cc site/hub.cc site/site.cc site/site_init.cc
  DEPS base sync net net_testing kube
  LIBS OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB
  TESTS apiserver/server_test.cc apiserver/store_test.cc
        controllers/controllers_test.cc
  TEST_DEPS net_testing)

# kubectl as a client, one run for each kubectl there may be.
if(BUILD_TESTING)
  add_executable(holdfast_sandbox_kubectl_tests ${CMAKE_SOURCE_DIR}/src/sandbox/apiserver/kubectl_peer_test.cc)
  target_link_libraries(holdfast_sandbox_kubectl_tests PRIVATE holdfast_sandbox holdfast_net_testing GTest::gtest_main)
  foreach(client system peer)
    add_test(NAME sandbox_kubectl_${client} COMMAND ${CMAKE_SOURCE_DIR}/tests/peers/run_kubectl_conformance.sh ${client}
                                                    $<TARGET_FILE:holdfast_sandbox_kubectl_tests>)
    set_tests_properties(sandbox_kubectl_${client} PROPERTIES LABELS peer SKIP_RETURN_CODE 77 TIMEOUT 300)
  endforeach()
endif()
