#include "app/cli/apply.h"

#include <fmt/format.h>

namespace holdfast::app {

namespace {

struct Known {
  std::string_view api_version, kind, plural;
  bool namespaced;
};
constexpr Known kKnown[] = {
    {"v1", "Namespace", "namespaces", false},
    {"v1", "ServiceAccount", "serviceaccounts", true},
    {"v1", "Secret", "secrets", true},
    {"apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false},
    {"rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false},
    {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false},
    {"rbac.authorization.k8s.io/v1", "Role", "roles", true},
    {"rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true},
    {"apps/v1", "Deployment", "deployments", true},
    {"apps/v1", "DaemonSet", "daemonsets", true},
    {"velero.io/v1", "BackupStorageLocation", "backupstoragelocations", true},
};

void take_over(json::value& present, const json::object& wanted) {
  json::object& object = present.as_object();
  for (const auto& member : wanted) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key == "metadata" || key == "status" || key == "kind" || key == "apiVersion") continue;
    object[key] = member.value();
  }
  for (const std::string_view map : {"labels", "annotations"})
    for (const auto& member : json::object_at(wanted, {"metadata", map}))
      json::set(object, {"metadata", map, {member.key().data(), member.key().size()}}, member.value());
}

}  // namespace

Result<kube::ResourceType> applied_type(const json::value& object) {
  const std::string api_version = json::string_at(object, {"apiVersion"});
  const std::string kind = json::string_at(object, {"kind"});
  for (const Known& known : kKnown) {
    if (known.api_version != api_version || known.kind != kind) continue;
    const size_t slash = api_version.find('/');
    kube::ResourceType type;
    if (slash != std::string::npos) type.group = api_version.substr(0, slash);
    type.version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
    type.plural = known.plural;
    type.kind = kind;
    type.namespaced = known.namespaced;
    return type;
  }
  return Error(ErrorCode::unsupported, fmt::format("objects of kind {} ({}) are not taken here", kind, api_version));
}

Result<Applied> apply(kube::Api& api, const json::value& object) {
  const kube::ResourceType type = TRY(applied_type(object));
  const std::string ns = json::string_at(object, {"metadata", "namespace"});
  const std::string name = json::string_at(object, {"metadata", "name"});
  const std::string what = fmt::format("{}/{}", type.kind, name);
  const Result<json::value> created = api.create(type, ns, object);
  if (created.ok()) return Applied::created;
  if (!created.is(ErrorCode::exists)) return created.error().in(what);
  TRY(kube::update_with_retry(api, type, ns, name, [&](json::value& present) -> Status {
        take_over(present, object.as_object());
        return {};
      }).in(what));
  return Applied::updated;
}

}  // namespace holdfast::app
