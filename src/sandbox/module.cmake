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
  DEPS base sync net kube
  LIBS OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB
  TESTS apiserver/kubectl_peer_test.cc apiserver/server_test.cc apiserver/store_test.cc
        controllers/controllers_test.cc
  TEST_DEPS net_testing)
