// What parses as a label selector must read back from its own text as the same selector.
#include "kube/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kube::FieldSelector::parse(text);
  const Result<json::value> object = json::parse(text);
  if (object.ok()) (void)kube::LabelSelector::from_object(*object);
  const Result<kube::LabelSelector> first = kube::LabelSelector::parse(text);
  if (!first) return 0;
  const Result<kube::LabelSelector> second = kube::LabelSelector::parse(first->text());
  CHECK(second.ok());
  CHECK(second->text() == first->text());
  (void)first->matches({{"a", "1"}, {"b", ""}});
  return 0;
}
