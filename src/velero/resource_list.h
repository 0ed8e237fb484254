// B-resource-list.json.gz and restore-R-resource-list.json.gz: which objects were taken or restored. Pure.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

/// "apps/v1/Deployment" or, in the core group, "v1/Pod" -> sorted "NAMESPACE/NAME" or "NAME"; in a restore's list each
/// followed by "(created)", "(updated)", "(failed)" or "(skipped)".
using ResourceList = std::map<std::string, StringList>;

/// The key of a type: "GROUP/VERSION/KIND", "VERSION/KIND" for the core group.
[[nodiscard]] std::string resource_list_key(std::string_view api_version, std::string_view kind);
/// The entry of an object; `action` ("created", ...) only in a restore's list.
[[nodiscard]] std::string resource_list_entry(std::string_view namespace_, std::string_view name,
                                              std::string_view action = {});

/// The plain JSON of the file. invalid names the member.
[[nodiscard]] Result<ResourceList> decode_resource_list(std::string_view text);
/// One line and its newline; entries sorted.
[[nodiscard]] std::string encode_resource_list(const ResourceList& list);

}  // namespace holdfast::velero
