// What the server says about itself: /api, /apis (old and aggregated form), /openapi, /version. Pure functions of the
// table of served types.
#pragma once

#include <optional>
#include <string>

#include "sandbox/apiserver/registry.h"

namespace holdfast::sandbox {

/// The answer for a discovery path; nothing where there is none. `accept` chooses the aggregated form of /api and
/// /apis.
struct DiscoveryAnswer {
  json::value body;
  std::string content_type = "application/json";
};
[[nodiscard]] std::optional<DiscoveryAnswer> discovery_answer(const KindTable& table, const std::string& path,
                                                              std::string_view accept);

/// The version that /version names.
[[nodiscard]] json::value version_document();

}  // namespace holdfast::sandbox
