// Who may do what. A backup has to read every kind there is, and a restore has to write every kind there is, roles
// among them (hence escalate and bind); the agent sees pods and claims and writes velero.io objects of its namespace.
#include "install/parts.h"

namespace holdfast::install {

namespace {

using Words = std::vector<std::string>;

json::object rule(const Words& groups, const Words& resources, const Words& verbs, const Words& names = {}) {
  json::object out{{"apiGroups", json::from_strings(groups)},
                   {"resources", json::from_strings(resources)},
                   {"verbs", json::from_strings(verbs)}};
  if (!names.empty()) out["resourceNames"] = json::from_strings(names);
  return out;
}

const Words kRead{"get", "list", "watch"};
const Words kWrite{"create", "update", "patch", "delete"};
const Words kReadWrite{"get", "list", "watch", "create", "update", "patch", "delete"};

/// A cluster-scoped object of another namespace's installation must not be taken over.
std::string cluster_name(std::string_view name, const std::string& ns) {
  return ns == "velero" ? std::string(name) : std::string(name) + "-" + ns;
}

json::object role(std::string_view kind, std::string_view name, std::string_view ns, json::array rules) {
  return {{"apiVersion", "rbac.authorization.k8s.io/v1"},
          {"kind", kind},
          {"metadata", metadata(name, ns)},
          {"rules", std::move(rules)}};
}

json::object binding(std::string_view kind, std::string_view name, std::string_view ns, const std::string& account_ns,
                     const std::vector<std::string_view>& accounts) {
  json::array subjects;
  for (const std::string_view account : accounts)
    subjects.push_back(json::object{{"kind", "ServiceAccount"}, {"name", account}, {"namespace", account_ns}});
  const std::string_view role_kind = kind == "RoleBinding" ? "Role" : "ClusterRole";
  return {{"apiVersion", "rbac.authorization.k8s.io/v1"},
          {"kind", kind},
          {"metadata", metadata(name, ns)},
          {"roleRef", json::object{{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", role_kind}, {"name", name}}},
          {"subjects", std::move(subjects)}};
}

json::array backup_rules() {
  return {
      rule({"*"}, {"*"}, kRead),
      rule({""}, {"pods/exec"}, {"get", "create"}),  // hooks; by WebSocket the verb is get up to 1.34
      rule({""}, {"pods"}, {"create", "delete"}),    // movers, which mount claims that no pod mounts
  };
}

json::array controller_rules() {
  return {
      rule({"velero.io"}, {"*"}, kWrite),
      rule({"coordination.k8s.io"}, {"leases"}, kReadWrite),
      rule({""}, {"secrets"}, {"create"}),  // velero-repo-credentials, where it is missing
      rule({""}, {"serviceaccounts"}, {"impersonate"}, {std::string(kRestoreAccount)}),
      rule({"apps"}, {"deployments", "deployments/scale"}, {"update", "patch"}),  // --take-over scales Velero down
  };
}

json::array restore_rules() {
  return {
      rule({"*"}, {"*"}, kReadWrite),
      rule({"rbac.authorization.k8s.io"}, {"roles", "clusterroles"}, {"escalate", "bind"}),
      rule({""}, {"pods/exec"}, {"get", "create"}),
  };
}

json::array agent_cluster_rules() {
  return {
      rule({""}, {"pods"}, kRead),
      rule({""}, {"persistentvolumeclaims"}, {"get"}),
  };
}

json::array agent_rules() {
  return {
      rule({"velero.io"},
           {"podvolumebackups", "podvolumerestores", "podvolumebackups/status", "podvolumerestores/status"},
           {"get", "list", "watch", "update", "patch"}),
      rule({"velero.io"}, {"backuprepositories"}, {"get", "list"}),
      rule({"velero.io"}, {"backupstoragelocations", "backups", "restores"}, {"get"}),
      rule({""}, {"secrets"}, {"get"}),  // credentials of locations, by whatever name, and the repository password
  };
}

json::object service_account(std::string_view name, const Options& options) {
  json::object meta = metadata(name, options.ns);
  if (!options.account_annotations.empty()) meta["annotations"] = string_object(options.account_annotations);
  return {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", std::move(meta)}};
}

}  // namespace

ClusterNames cluster_names(const std::string& ns) {
  const Words names{cluster_name("velero-backup", ns), cluster_name("velero-restore", ns),
                    cluster_name("velero-node-agent", ns)};
  return {names, names};
}

std::vector<json::value> rights(const Options& options) {
  const std::string& ns = options.ns;
  const std::string backup = cluster_name("velero-backup", ns);
  const std::string restore = cluster_name("velero-restore", ns);
  const std::string agent = cluster_name("velero-node-agent", ns);
  std::vector<json::value> out;
  for (const std::string_view name : {kControllerAccount, kRestoreAccount})
    out.push_back(service_account(name, options));
  out.push_back(role("ClusterRole", backup, "", backup_rules()));
  out.push_back(role("ClusterRole", restore, "", restore_rules()));
  out.push_back(role("Role", "velero", ns, controller_rules()));
  out.push_back(binding("ClusterRoleBinding", backup, "", ns, {kControllerAccount}));
  out.push_back(binding("ClusterRoleBinding", restore, "", ns, {kRestoreAccount}));
  out.push_back(binding("RoleBinding", "velero", ns, ns, {kControllerAccount}));
  if (!options.use_node_agent) return out;
  out.push_back(service_account(kAgentAccount, options));
  out.push_back(role("ClusterRole", agent, "", agent_cluster_rules()));
  out.push_back(role("Role", "velero-node-agent", ns, agent_rules()));
  out.push_back(binding("ClusterRoleBinding", agent, "", ns, {kAgentAccount}));
  out.push_back(binding("RoleBinding", "velero-node-agent", ns, ns, {kAgentAccount}));
  return out;
}

}  // namespace holdfast::install
