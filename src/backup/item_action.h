// Item actions: what is done to an object on its way into a backup and out of it (Velero's BackupItemAction and
// RestoreItemAction). An action is a pure function: object and facts in, changed object and consequences out. All that
// it may know was asked before and stands in the facts; so every action is tested without a cluster.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backup/item.h"
#include "base/clock.h"

namespace holdfast::backup {

/// What an action makes of an object.
struct Outcome {
  json::object object;
  std::vector<ItemKey> additional = {};  ///< objects that belong with it; names and namespaces of the source cluster
  bool skip = false;                     ///< do not restore it
  std::string reason = {};               ///< why it is skipped
  bool needs_pull_secret = false;        ///< OpenShift: wait for the namespace's new dockercfg secrets, then name them
};

/// What backup actions know.
struct BackupFacts {
  std::string backup_name;
  std::string openshift_version;  ///< empty: no OpenShift cluster
  std::string registry_hostname;  ///< OpenShift's internal image registry
  std::vector<json::value> cluster_role_bindings;
  std::vector<json::value> security_context_constraints;
  std::map<std::string, std::vector<json::value>> pods;  ///< by namespace, where there are DeploymentConfigs
};

/// A volume of a pod whose data comes back.
struct RestoredVolume {
  std::string pod_namespace;  ///< in the source cluster
  std::string pod;
  std::string volume;
  std::string snapshot_id;
  std::string uploader;  ///< "restic", "kopia"
  std::string repo_identifier;
  std::string pvc;  ///< empty: no PVC behind it
  int64_t size = 0;
};

/// The init container that keeps a pod waiting until its volumes are back.
struct RestoreWaitOptions {
  std::string image;
  std::vector<std::string> command = {"holdfast", "restore-helper"};
  Duration deadline = std::chrono::hours(4);  ///< handed to the helper as --deadline
  json::object resources{{"requests", json::object{{"cpu", "100m"}, {"memory", "128Mi"}}},
                         {"limits", json::object{{"cpu", "100m"}, {"memory", "128Mi"}}}};
  std::optional<json::object> security_context;  ///< else that of the first container, else a restricted one
};

/// What restore actions know.
struct RestoreFacts {
  std::string restore_name;
  std::string restore_uid;
  std::string backup_name;
  std::map<std::string, std::string> namespace_mapping;
  bool preserve_node_ports = false;
  bool default_fs_backup = false;  ///< of the backup
  std::map<std::string, std::string> storage_class_map;
  std::set<std::string> storage_classes;                         ///< of the target cluster
  std::vector<std::pair<std::string, std::string>> image_names;  ///< old part, new part
  std::vector<RestoredVolume> volumes;
  /// Why a claim (of the source) comes back without the data that the backup should hold; empty: it does not.
  std::function<std::string(const std::string& ns, const std::string& claim)> lost_data;
  std::set<ItemKey> shared_claims;  ///< of the source: those that more than one pod mounts
  RestoreWaitOptions restore_wait;
  std::function<std::vector<json::object>(const json::object& pod)> init_hooks;  ///< init containers of restore hooks
  std::function<bool(const json::object& pod)> has_hooks;  ///< any restore hook applies to the pod
  std::string openshift_version;                           ///< of the target; empty: no OpenShift
  std::string registry_hostname;
  std::set<ItemKey> paused_deployment_configs;  ///< of the source

  [[nodiscard]] std::string mapped(const std::string& ns) const {
    auto found = namespace_mapping.find(ns);
    return found == namespace_mapping.end() ? ns : found->second;
  }
};

template <typename Facts>
struct ItemAction {
  std::string_view name;
  std::vector<std::string_view> applies_to;  ///< "pods", "deployments.apps"; empty: every type
  std::function<Result<Outcome>(const json::object& object, const Facts& facts)> act;

  [[nodiscard]] bool applies(std::string_view group_resource) const {
    if (applies_to.empty()) return true;
    for (std::string_view type : applies_to) {
      if (type == group_resource) return true;
    }
    return false;
  }
};
using BackupAction = ItemAction<BackupFacts>;
using RestoreAction = ItemAction<RestoreFacts>;

/// Every action in the order in which they run.
[[nodiscard]] const std::vector<BackupAction>& backup_actions();
[[nodiscard]] const std::vector<RestoreAction>& restore_actions();

/// Runs all actions that apply to the type, each on what the one before made; the first skip ends it.
[[nodiscard]] Result<Outcome> run_backup_actions(std::string_view group_resource, json::object object,
                                                 const BackupFacts& facts);
[[nodiscard]] Result<Outcome> run_restore_actions(std::string_view group_resource, json::object object,
                                                  const RestoreFacts& facts);

}  // namespace holdfast::backup
