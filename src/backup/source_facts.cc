#include "backup/source_facts.h"

#include <fmt/format.h>

namespace holdfast::backup {
namespace {

std::vector<json::value> all_of(kube::Api& api, const TypeIndex& types, std::string_view name, Findings& findings,
                                const std::stop_token& stop) {
  const kube::ResourceType* type = types.preferred(name);
  if (type == nullptr) return {};
  Result<kube::ListPage> all = kube::list_all(api, *type, "", {}, stop);
  if (all) return std::move(all->items);
  findings.warning({}, fmt::format("list {}: {}; related objects may be missing", name, all.error().to_string()));
  return {};
}

}  // namespace

std::string openshift_version(kube::Api& api, const TypeIndex& types, std::stop_token stop) {
  const bool openshift = types.has_group("apps.openshift.io") || types.has_group("route.openshift.io") ||
                         types.has_group("security.openshift.io");
  if (!openshift) return {};
  const Result<json::value> version = api.version(std::move(stop));
  if (!version) return "unknown";
  std::string minor = json::string_at(*version, {"minor"});
  if (minor.ends_with('+')) minor.pop_back();
  return json::string_at(*version, {"major"}) + "." + minor;
}

std::string registry_hostname(kube::Api& api, const TypeIndex& types, std::stop_token stop) {
  const kube::ResourceType* streams = types.preferred("imagestreams.image.openshift.io");
  if (streams == nullptr) return {};
  kube::ListOptions one;
  one.limit = 1;
  const Result<kube::ListPage> page = api.list(*streams, "", one, std::move(stop));
  if (!page || page->items.empty()) return {};
  const std::string repository = json::string_at(page->items.front(), {"status", "dockerImageRepository"});
  return repository.substr(0, repository.find('/'));
}

BackupFacts gather_backup_facts(kube::Api& api, const TypeIndex& types, const std::string& backup, Findings& findings,
                                std::stop_token stop) {
  BackupFacts facts;
  facts.backup_name = backup;
  facts.cluster_role_bindings = all_of(api, types, "clusterrolebindings.rbac.authorization.k8s.io", findings, stop);
  facts.openshift_version = openshift_version(api, types, stop);
  if (facts.openshift_version.empty()) return facts;
  facts.registry_hostname = registry_hostname(api, types, stop);
  facts.security_context_constraints =
      all_of(api, types, "securitycontextconstraints.security.openshift.io", findings, stop);
  std::set<std::string> namespaces;
  for (const json::value& config : all_of(api, types, "deploymentconfigs.apps.openshift.io", findings, stop)) {
    namespaces.insert(json::string_at(config, {"metadata", "namespace"}));
  }
  for (const std::string& ns : namespaces) {
    Result<kube::ListPage> pods = kube::list_all(api, kube::types::pods(), ns, {}, stop);
    if (pods)
      facts.pods.emplace(ns, std::move(pods->items));
    else
      findings.warning(ns, "list pods of DeploymentConfigs: " + pods.error().to_string());
  }
  return facts;
}

}  // namespace holdfast::backup
