// Two JSON texts apart by a newline: a document and a patch of any kind. What comes out must print and parse again.
#include "kube/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\n');
  if (cut == std::string_view::npos) return 0;
  const Result<json::value> document = json::parse(text.substr(0, cut));
  const Result<json::value> patch = json::parse(text.substr(cut + 1));
  if (!document || !patch) return 0;
  const json::value merged = kube::merge_patch(*document, *patch);
  CHECK(kube::merge_patch(merged, kube::diff_merge_patch(merged, merged)) == merged || !merged.is_object());
  (void)kube::json_patch(*document, *patch);
  (void)kube::strategic_merge_patch(*document, *patch);
  return 0;
}
