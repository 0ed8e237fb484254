// Bytes of a server: watch lines, discovery documents, error bodies, exec messages.
#include "kube/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kube::parse_watch_line(text);
  CHECK(!kube::answer_error(500, text).message().empty());
  kube::ExecChannels channels;
  if (channels.take(text).ok()) (void)channels.result();
  const Result<json::value> document = json::parse(text);
  if (!document) return 0;
  std::vector<std::string> stale;
  std::vector<kube::ResourceType> types = kube::parse_group_discovery(*document, stale);
  kube::mark_preferred(types);
  (void)kube::parse_resource_list(*document, "g", "v1");
  return 0;
}
