// Server-side printing: objects as the rows that `kubectl get` shows.
#pragma once

#include <vector>

#include "base/clock.h"
#include "sandbox/apiserver/resource_kind.h"
#include "sandbox/apiserver/store.h"

namespace holdfast::sandbox {

/// A meta.k8s.io Table with the columns of that type; each row carries the object's metadata.
[[nodiscard]] json::value table_of(const std::string& api_version, const ResourceKind& kind,
                                   const std::vector<Object>& objects, json::object metadata, Time now);

/// "5s", "3m12s", "4h", "12d": kubectl's age of something.
[[nodiscard]] std::string human_age(Duration age);

/// What a printer column's JSON path finds (".status.phase", ".spec.containers[0].name",
/// ".status.conditions[?(@.type==\"Ready\")].status"); null where it finds nothing or says more than that.
[[nodiscard]] const json::value* find_json_path(const json::value& object, std::string_view path);

}  // namespace holdfast::sandbox
