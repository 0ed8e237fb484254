holdfast_module(kube
  SOURCES api.cc fake_api.cc fake_deletion.cc fake_objects.cc fake_types.cc patch.cc selector.cc strategic_patch.cc
          types.cc
  DEPS base sync net
  TESTS fake_api_test.cc patch_test.cc selector_test.cc)
