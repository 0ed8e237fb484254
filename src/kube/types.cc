#include <map>

#include "kube/api.h"

namespace holdfast::kube::types {

namespace {

const std::vector<std::string> kAllVerbs{"create", "delete", "deletecollection", "get",
                                         "list",   "patch",  "update",           "watch"};

ResourceType make(std::string group, std::string version, std::string plural, std::string singular, std::string kind,
                  bool namespaced, std::vector<std::string> short_names = {}) {
  return {std::move(group),       std::move(version), std::move(plural),
          std::move(kind),        namespaced,         std::move(singular),
          std::move(short_names), kAllVerbs,          true};
}

}  // namespace

const ResourceType& pods() {
  static const ResourceType type = make("", "v1", "pods", "pod", "Pod", true, {"po"});
  return type;
}
const ResourceType& namespaces() {
  static const ResourceType type = make("", "v1", "namespaces", "namespace", "Namespace", false, {"ns"});
  return type;
}
const ResourceType& secrets() {
  static const ResourceType type = make("", "v1", "secrets", "secret", "Secret", true);
  return type;
}
const ResourceType& config_maps() {
  static const ResourceType type = make("", "v1", "configmaps", "configmap", "ConfigMap", true, {"cm"});
  return type;
}
const ResourceType& persistent_volumes() {
  static const ResourceType type =
      make("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", false, {"pv"});
  return type;
}
const ResourceType& persistent_volume_claims() {
  static const ResourceType type =
      make("", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", true, {"pvc"});
  return type;
}
const ResourceType& service_accounts() {
  static const ResourceType type = make("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", true, {"sa"});
  return type;
}
const ResourceType& nodes() {
  static const ResourceType type = make("", "v1", "nodes", "node", "Node", false, {"no"});
  return type;
}
const ResourceType& services() {
  static const ResourceType type = make("", "v1", "services", "service", "Service", true, {"svc"});
  return type;
}
const ResourceType& endpoints() {
  static const ResourceType type = make("", "v1", "endpoints", "endpoints", "Endpoints", true, {"ep"});
  return type;
}
const ResourceType& leases() {
  static const ResourceType type = make("coordination.k8s.io", "v1", "leases", "lease", "Lease", true);
  return type;
}
const ResourceType& custom_resource_definitions() {
  static const ResourceType type = make("apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                        "customresourcedefinition", "CustomResourceDefinition", false, {"crd", "crds"});
  return type;
}

const ResourceType& velero(std::string_view plural) {
  const auto entry = [](std::string name, std::string singular, std::string kind,
                        std::vector<std::string> short_names = {}) {
    return std::pair(name, make("velero.io", "v1", name, singular, kind, true, std::move(short_names)));
  };
  static const std::map<std::string, ResourceType, std::less<>> all{
      entry("backups", "backup", "Backup"),
      entry("restores", "restore", "Restore"),
      entry("schedules", "schedule", "Schedule"),
      entry("backupstoragelocations", "backupstoragelocation", "BackupStorageLocation", {"bsl"}),
      entry("volumesnapshotlocations", "volumesnapshotlocation", "VolumeSnapshotLocation", {"vsl"}),
      entry("podvolumebackups", "podvolumebackup", "PodVolumeBackup"),
      entry("podvolumerestores", "podvolumerestore", "PodVolumeRestore"),
      entry("backuprepositories", "backuprepository", "BackupRepository"),
      entry("deletebackuprequests", "deletebackuprequest", "DeleteBackupRequest"),
      entry("downloadrequests", "downloadrequest", "DownloadRequest"),
      entry("serverstatusrequests", "serverstatusrequest", "ServerStatusRequest", {"ssr"}),
  };
  const auto found = all.find(plural);
  CHECK(found != all.end());
  return found->second;
}

}  // namespace holdfast::kube::types
