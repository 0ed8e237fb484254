// What parses as YAML must come back equal after our own emitter.
#include "base/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const Result<json::value> first = yaml::parse({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const Result<json::value> second = yaml::parse(yaml::emit(*first));
  CHECK(second.ok() || first->is_null());
  return 0;
}
