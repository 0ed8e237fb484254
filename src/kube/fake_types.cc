#include <algorithm>

#include "kube/fake_objects.h"

namespace holdfast::kube {

namespace {

struct Row {
  const char* group;
  const char* version;
  const char* plural;
  const char* kind;
  bool namespaced;
  bool status;
  const char* short_name = "";
};

constexpr Row kRows[] = {
    {"", "v1", "namespaces", "Namespace", false, true, "ns"},
    {"", "v1", "nodes", "Node", false, true, "no"},
    {"", "v1", "persistentvolumes", "PersistentVolume", false, true, "pv"},
    {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, true, "pvc"},
    {"", "v1", "pods", "Pod", true, true, "po"},
    {"", "v1", "configmaps", "ConfigMap", true, false, "cm"},
    {"", "v1", "secrets", "Secret", true, false},
    {"", "v1", "serviceaccounts", "ServiceAccount", true, false, "sa"},
    {"", "v1", "services", "Service", true, true, "svc"},
    {"", "v1", "endpoints", "Endpoints", true, false, "ep"},
    {"", "v1", "events", "Event", true, false, "ev"},
    {"", "v1", "limitranges", "LimitRange", true, false, "limits"},
    {"", "v1", "resourcequotas", "ResourceQuota", true, true, "quota"},
    {"", "v1", "replicationcontrollers", "ReplicationController", true, true, "rc"},
    {"apps", "v1", "deployments", "Deployment", true, true, "deploy"},
    {"apps", "v1", "replicasets", "ReplicaSet", true, true, "rs"},
    {"apps", "v1", "statefulsets", "StatefulSet", true, true, "sts"},
    {"apps", "v1", "daemonsets", "DaemonSet", true, true, "ds"},
    {"apps", "v1", "controllerrevisions", "ControllerRevision", true, false},
    {"batch", "v1", "jobs", "Job", true, true},
    {"batch", "v1", "cronjobs", "CronJob", true, true, "cj"},
    {"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true, true, "hpa"},
    {"autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true, true, "hpa"},
    {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, true, "pdb"},
    {"networking.k8s.io", "v1", "ingresses", "Ingress", true, true, "ing"},
    {"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true, false, "netpol"},
    {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true, false},
    {"rbac.authorization.k8s.io", "v1", "roles", "Role", true, false},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, false},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false, false},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false, false},
    {"storage.k8s.io", "v1", "storageclasses", "StorageClass", false, false, "sc"},
    {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", false, false},
    {"scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false, false, "pc"},
    {"coordination.k8s.io", "v1", "leases", "Lease", true, false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false, true, "crd"},
};

bool counts_generation(const Row& row) {
  const std::string_view group = row.group;
  if (group.empty()) return std::string_view(row.plural) == "replicationcontrollers";
  return group == "apps" || group == "batch" || group == "policy" || group == "networking.k8s.io" ||
         group == "apiextensions.k8s.io";
}

}  // namespace

std::vector<FakeType> fake_built_in_types() {
  std::vector<FakeType> all;
  for (const Row& row : kRows) {
    ResourceType type = types::pods();  // for its verbs
    type.group = row.group;
    type.version = row.version;
    type.plural = row.plural;
    type.kind = row.kind;
    type.namespaced = row.namespaced;
    type.singular.clear();
    for (const char c : type.kind) type.singular += static_cast<char>(std::tolower(c));
    type.short_names.clear();
    if (*row.short_name != '\0') type.short_names.emplace_back(row.short_name);
    type.preferred = std::none_of(all.begin(), all.end(), [&](const FakeType& earlier) {
      return earlier.type.group_resource() == type.group_resource();
    });
    all.push_back({type, row.status, false, counts_generation(row)});
  }
  for (const char* plural : {"backups", "restores", "schedules", "backupstoragelocations", "volumesnapshotlocations",
                             "podvolumebackups", "podvolumerestores", "backuprepositories", "deletebackuprequests",
                             "downloadrequests", "serverstatusrequests"}) {
    all.push_back({types::velero(plural), false, true, true});
  }
  return all;
}

}  // namespace holdfast::kube
