# The modules, lowest first. Each folder of src/ says in its module.cmake what it is made of; DEPS are the only modules
# whose headers it may include (tools/layers.txt says so too, and a test holds the code against it).
foreach(module base sync crypto config velero net objstore kube install repo location backup node control sandbox ledger demo app)
  include(${CMAKE_SOURCE_DIR}/src/${module}/module.cmake OPTIONAL)
endforeach()
if(BUILD_TESTING)
  include(${CMAKE_SOURCE_DIR}/tests/faults/faults.cmake)
endif()
