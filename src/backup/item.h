// The name of one Kubernetes object as Velero's files spell it: type, namespace, name.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/json.h"

namespace holdfast::backup {

struct ItemKey {
  std::string group_resource;  ///< "pods", "deployments.apps"
  std::string ns;              ///< empty for cluster-scoped objects
  std::string name;

  auto operator<=>(const ItemKey&) const = default;
  /// "pods web-app1/web-0", "persistentvolumes pv-1": for messages.
  [[nodiscard]] std::string to_string() const {
    return group_resource + " " + (ns.empty() ? std::string() : ns + "/") + name;
  }
};

/// "ns/name" or "name": an object in resource lists.
[[nodiscard]] inline std::string list_name(std::string_view ns, std::string_view name) {
  return ns.empty() ? std::string(name) : std::string(ns) + "/" + std::string(name);
}

/// "group/version/Kind" of an object, for the core group "v1/Pod": the keys of resource lists.
[[nodiscard]] inline std::string list_kind(const json::value& object) {
  return json::string_at(object, {"apiVersion"}) + "/" + json::string_at(object, {"kind"});
}

}  // namespace holdfast::backup
