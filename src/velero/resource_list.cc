#include "velero/resource_list.h"

#include <algorithm>

#include "velero/types/codec.h"

namespace holdfast::velero {

std::string resource_list_key(std::string_view api_version, std::string_view kind) {
  return fmt::format("{}/{}", api_version, kind);
}

std::string resource_list_entry(std::string_view namespace_, std::string_view name, std::string_view action) {
  std::string out = namespace_.empty() ? std::string(name) : fmt::format("{}/{}", namespace_, name);
  if (!action.empty()) out += fmt::format("({})", action);
  return out;
}

Result<ResourceList> decode_resource_list(std::string_view text) {
  const json::value v = TRY(json::parse(text));
  ResourceList out;
  if (v.is_null()) return out;
  if (Status status = codec::read(v, out, codec::Where{}); !status.ok()) return std::move(status).error();
  return out;
}

std::string encode_resource_list(const ResourceList& list) {
  ResourceList sorted = list;
  for (auto& [key, entries] : sorted) std::sort(entries.begin(), entries.end());
  return codec::file_text(codec::write(sorted));
}

}  // namespace holdfast::velero
