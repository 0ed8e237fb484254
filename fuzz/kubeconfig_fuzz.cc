// A kubeconfig of any bytes is refused or resolved, and merging it with itself changes nothing.
#include "kube/credentials.h"
#include "kube/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kube::parse_exec_credential(text, "client.authentication.k8s.io/v1");
  const Result<json::object> config = kube::parse_kubeconfig(text, "dir/config");
  if (!config) return 0;
  const json::object once = kube::merge_kubeconfigs({*config});
  CHECK(kube::merge_kubeconfigs({once, once}) == once);
  // A corpus may name any file: only contexts without files are resolved.
  if (text.find('/') == std::string_view::npos) (void)kube::resolve_context(once, "");
  return 0;
}
