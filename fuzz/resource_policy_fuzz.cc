// Whatever the text, reading a volume policy ends with an error or with a policy that can be asked.
#include "velero/resource_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const Result<velero::ResourcePolicy> policy = velero::ResourcePolicy::parse(text)) {
    velero::VolumeFacts facts;
    facts.capacity = 1e10L;
    facts.nfs.emplace();
    facts.csi.emplace();
    (void)policy->action(facts);
  }
  (void)velero::parse_quantity(text);
  return 0;
}
