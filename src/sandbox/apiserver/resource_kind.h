// What the server knows about one resource type: names, scope, subresources, and the columns `kubectl get` shows.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace holdfast::sandbox {

/// A column of a custom resource's Table, as its definition declares it.
struct PrinterColumn {
  std::string name;
  std::string type;
  std::string json_path;
  int64_t priority = 0;
};

struct ResourceKind {
  std::string group;  ///< "" for the core group
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;
  std::vector<std::string> short_names;
  std::set<std::string> subresources;  ///< "status", "scale", "log", ...
  std::vector<std::string> categories;
  std::string singular;
  bool custom = false;    ///< from a CustomResourceDefinition
  bool preferred = true;  ///< the version of its group that discovery names first
  std::vector<PrinterColumn> columns;
  json::value schema;       ///< openAPIV3Schema of a custom resource; null: none
  json::value scale_paths;  ///< subresources.scale of a custom resource

  [[nodiscard]] std::string group_version() const { return group.empty() ? version : group + "/" + version; }
  /// "deployments.apps": also the first part of a Store key.
  [[nodiscard]] std::string group_resource() const { return group.empty() ? plural : plural + "." + group; }
  [[nodiscard]] bool has(const std::string& subresource) const { return subresources.contains(subresource); }
  /// The Store key; `ns` is ignored for cluster-scoped types.
  [[nodiscard]] std::string key(const std::string& ns, const std::string& name) const {
    return group_resource() + "/" + (namespaced ? ns : "") + "/" + name;
  }
  /// The prefix of all keys; in one namespace where `ns` is not empty.
  [[nodiscard]] std::string prefix(const std::string& ns) const {
    return group_resource() + "/" + (namespaced && !ns.empty() ? ns + "/" : "");
  }
  /// `PLURAL.GROUP "NAME"`, as error messages name an object.
  [[nodiscard]] std::string subject(const std::string& name) const { return group_resource() + " \"" + name + "\""; }
};

/// The types served without any CustomResourceDefinition.
[[nodiscard]] const std::vector<ResourceKind>& builtin_kinds();
/// The types one CustomResourceDefinition object adds: one for each served version. Empty for a broken definition.
[[nodiscard]] std::vector<ResourceKind> kinds_of_definition(const json::value& definition);

}  // namespace holdfast::sandbox
