// OpenAPI documents as far as kubectl asks: which types there are, and that the server validates fields itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/apiserver/registry.h"

namespace holdfast::sandbox {

/// The document at a path given in parts: openapi/v3, openapi/v3/api/v1, openapi/v3/apis/GROUP/VERSION.
[[nodiscard]] std::optional<json::value> openapi_answer(const KindTable& table, const std::vector<std::string>& parts);

}  // namespace holdfast::sandbox
