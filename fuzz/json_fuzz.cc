// What parses must print and parse again to the same value.
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const Result<json::value> first = json::parse({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const Result<json::value> second = json::parse(json::pretty(*first));
  CHECK(second.ok());
  CHECK(json::compact(*second) == json::compact(*first));
  return 0;
}
