#include "velero/crds.h"

namespace holdfast::velero {

std::vector<json::object> custom_resource_definitions() {
  std::vector<json::object> out;
  for (const std::string_view text : detail::crd_texts()) {
    Result<json::object> crd = json::parse_object(text);
    CHECK(crd.ok());
    out.push_back(*std::move(crd));
  }
  return out;
}

}  // namespace holdfast::velero
