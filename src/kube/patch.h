// The three ways to patch a JSON document that a Kubernetes API server knows. Pure functions.
//
// merge_patch is RFC 7386, json_patch RFC 6902, strategic_merge_patch the merge that knows the keys of the lists in
// Kubernetes' built-in types (containers by name, volumeMounts by mountPath, ...) and the directives $patch,
// $retainKeys, $setElementOrder/LIST and $deleteFromPrimitiveList/LIST.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace holdfast::kube {

/// RFC 7386: members of the patch replace or (null) remove those of the target; anything but an object replaces whole.
[[nodiscard]] json::value merge_patch(json::value target, const json::value& patch);

/// The smallest merge patch that turns `from` into `to`; an empty object where they are equal.
[[nodiscard]] json::value diff_merge_patch(const json::value& from, const json::value& to);

/// RFC 6902: add, remove, replace, move, copy, test in order; all or nothing. invalid names the operation by its index:
/// bad pointer, missing target, failed test, a copy that would grow the document above 64 MiB.
[[nodiscard]] Result<json::value> json_patch(json::value document, const json::value& operations);

/// Strategic merge with the merge keys of Kubernetes' built-in types, told from the list's name and its elements.
/// invalid: an element without its merge key, or an unknown directive.
[[nodiscard]] Result<json::value> strategic_merge_patch(json::value target, const json::value& patch);

/// The member by which elements of a list are the same ("name" for containers); empty where the list is replaced whole.
[[nodiscard]] std::string_view merge_key(std::string_view list, const json::array& elements);

}  // namespace holdfast::kube
