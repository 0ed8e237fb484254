#include "sandbox/apiserver/resource_kind.h"

namespace holdfast::sandbox {

namespace {

enum class Scope { namespaced, cluster };

ResourceKind make(std::string group, std::string version, std::string plural, std::string kind, Scope scope,
                  std::vector<std::string> short_names = {}, std::set<std::string> subresources = {},
                  std::vector<std::string> categories = {}) {
  ResourceKind made;
  made.group = std::move(group);
  made.version = std::move(version);
  made.plural = std::move(plural);
  made.kind = std::move(kind);
  made.namespaced = scope == Scope::namespaced;
  made.short_names = std::move(short_names);
  made.subresources = std::move(subresources);
  made.categories = std::move(categories);
  for (const char c : made.kind) made.singular.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  return made;
}

std::vector<ResourceKind> core_kinds() {
  using enum Scope;
  const std::vector<std::string> all{"all"};
  return {
      make("", "v1", "namespaces", "Namespace", cluster, {"ns"}, {"status", "finalize"}),
      make("", "v1", "nodes", "Node", cluster, {"no"}, {"status"}),
      make("", "v1", "persistentvolumes", "PersistentVolume", cluster, {"pv"}, {"status"}),
      make("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced, {"pvc"}, {"status"}),
      make("", "v1", "pods", "Pod", namespaced, {"po"}, {"status", "log", "exec", "binding"}, all),
      make("", "v1", "services", "Service", namespaced, {"svc"}, {"status"}, all),
      make("", "v1", "endpoints", "Endpoints", namespaced, {"ep"}),
      make("", "v1", "configmaps", "ConfigMap", namespaced, {"cm"}),
      make("", "v1", "secrets", "Secret", namespaced),
      make("", "v1", "serviceaccounts", "ServiceAccount", namespaced, {"sa"}, {"token"}),
      make("", "v1", "events", "Event", namespaced, {"ev"}),
      make("", "v1", "replicationcontrollers", "ReplicationController", namespaced, {"rc"}, {"status", "scale"}, all),
  };
}

std::vector<ResourceKind> group_kinds() {
  using enum Scope;
  const std::vector<std::string> all{"all"};
  const std::string rbac = "rbac.authorization.k8s.io";
  const std::string openshift_apps = "apps.openshift.io";
  return {
      make("apps", "v1", "deployments", "Deployment", namespaced, {"deploy"}, {"status", "scale"}, all),
      make("apps", "v1", "replicasets", "ReplicaSet", namespaced, {"rs"}, {"status", "scale"}, all),
      make("apps", "v1", "statefulsets", "StatefulSet", namespaced, {"sts"}, {"status", "scale"}, all),
      make("apps", "v1", "daemonsets", "DaemonSet", namespaced, {"ds"}, {"status"}, all),
      make("apps", "v1", "controllerrevisions", "ControllerRevision", namespaced),
      make("batch", "v1", "jobs", "Job", namespaced, {}, {"status"}, all),
      make("batch", "v1", "cronjobs", "CronJob", namespaced, {"cj"}, {"status"}, all),
      make(rbac, "v1", "roles", "Role", namespaced),
      make(rbac, "v1", "rolebindings", "RoleBinding", namespaced),
      make(rbac, "v1", "clusterroles", "ClusterRole", cluster),
      make(rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", cluster),
      make("coordination.k8s.io", "v1", "leases", "Lease", namespaced),
      make("storage.k8s.io", "v1", "storageclasses", "StorageClass", cluster, {"sc"}),
      make("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", cluster,
           {"crd", "crds"}, {"status"}, {"api-extensions"}),
      make(openshift_apps, "v1", "deploymentconfigs", "DeploymentConfig", namespaced, {"dc"}, {"status", "scale"}, all),
      make("route.openshift.io", "v1", "routes", "Route", namespaced, {}, {"status"}, all),
  };
}

}  // namespace

const std::vector<ResourceKind>& builtin_kinds() {
  static const std::vector<ResourceKind> kinds = [] {
    std::vector<ResourceKind> whole = core_kinds();
    for (ResourceKind& kind : group_kinds()) whole.push_back(std::move(kind));
    return whole;
  }();
  return kinds;
}

std::vector<ResourceKind> kinds_of_definition(const json::value& definition) {
  std::vector<ResourceKind> kinds;
  bool preferred = true;
  for (const json::value& version : json::array_at(definition, {"spec", "versions"})) {
    if (!json::bool_at(version, {"served"})) continue;
    ResourceKind kind;
    kind.group = json::string_at(definition, {"spec", "group"});
    kind.version = json::string_at(version, {"name"});
    kind.plural = json::string_at(definition, {"spec", "names", "plural"});
    kind.kind = json::string_at(definition, {"spec", "names", "kind"});
    kind.singular = json::string_at(definition, {"spec", "names", "singular"});
    kind.namespaced = json::string_at(definition, {"spec", "scope"}) == "Namespaced";
    kind.short_names = json::strings(json::array_at(definition, {"spec", "names", "shortNames"}));
    kind.categories = json::strings(json::array_at(definition, {"spec", "names", "categories"}));
    kind.custom = true;
    kind.preferred = std::exchange(preferred, false);
    if (json::find(version, {"subresources", "status"}) != nullptr) kind.subresources.insert("status");
    if (const json::value* scale = json::find(version, {"subresources", "scale"})) {
      kind.subresources.insert("scale");
      kind.scale_paths = *scale;
    }
    for (const json::value& column : json::array_at(version, {"additionalPrinterColumns"})) {
      kind.columns.push_back({.name = json::string_at(column, {"name"}),
                              .type = json::string_at(column, {"type"}),
                              .json_path = json::string_at(column, {"jsonPath"}),
                              .priority = json::int_at(column, {"priority"})});
    }
    if (const json::value* schema = json::find(version, {"schema", "openAPIV3Schema"})) kind.schema = *schema;
    if (kind.group.empty() || kind.version.empty() || kind.plural.empty() || kind.kind.empty()) return {};
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace holdfast::sandbox
