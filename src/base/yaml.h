// YAML in and out of JSON values: kubeconfigs, manifests, policies, `-o yaml`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace holdfast::yaml {

/// Every document of a YAML text (empty ones left out). Scalars resolve as YAML 1.2's core schema: null, booleans,
/// integers, floats; quoted ones are strings. Aliases are followed, to at most 64 levels and a million nodes.
/// invalid names line and column.
[[nodiscard]] Result<std::vector<json::value>> parse_all(std::string_view text);
/// Exactly one document.
[[nodiscard]] Result<json::value> parse(std::string_view text);

/// Block style, two spaces; strings are quoted where a reader would take them for something else. Ends with a newline.
[[nodiscard]] std::string emit(const json::value& v);

}  // namespace holdfast::yaml
