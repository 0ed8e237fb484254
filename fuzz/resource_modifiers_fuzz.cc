// Any text as the ConfigMap of resource modifiers: refused, or applied without harm to an object.
#include "backup/resource_modifiers.h"
#include "base/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::backup;
  const Result<ResourceModifiers> modifiers = ResourceModifiers::parse({reinterpret_cast<const char*>(data), size});
  if (!modifiers) return 0;
  static const json::object object =
      yaml::parse("{metadata: {name: d-0, namespace: a, labels: {app: db}}, spec: {replicas: 1, list: [x, {name: c}]}}")
          .value()
          .get_object();
  for (const std::string_view type : {"persistentvolumeclaims", "deployments.apps"}) {
    (void)modifiers->apply(type, object);
  }
  return 0;
}
