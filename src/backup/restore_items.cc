#include "backup/restore_items.h"

#include <algorithm>

#include "backup/json_edit.h"
#include "kube/patch.h"
#include "velero/mover_names.h"
#include "velero/names.h"

namespace holdfast::backup {

const std::vector<std::string>& default_priorities() {
  static const std::vector<std::string> list = {"securitycontextconstraints.security.openshift.io",
                                                "customresourcedefinitions.apiextensions.k8s.io",
                                                "namespaces",
                                                "storageclasses.storage.k8s.io",
                                                "volumesnapshotclasses.snapshot.storage.k8s.io",
                                                "volumesnapshotcontents.snapshot.storage.k8s.io",
                                                "volumesnapshots.snapshot.storage.k8s.io",
                                                "datauploads.velero.io",
                                                "persistentvolumes",
                                                "persistentvolumeclaims",
                                                "clusterroles.rbac.authorization.k8s.io",
                                                "roles.rbac.authorization.k8s.io",
                                                "serviceaccounts",
                                                "clusterrolebindings.rbac.authorization.k8s.io",
                                                "rolebindings.rbac.authorization.k8s.io",
                                                "secrets",
                                                "configmaps",
                                                "limitranges",
                                                "priorityclasses.scheduling.k8s.io",
                                                "pods",
                                                "replicasets.apps",
                                                "clusterclasses.cluster.x-k8s.io",
                                                "endpoints",
                                                "services",
                                                "-",
                                                "clusterbootstraps.run.tanzu.vmware.com",
                                                "clusters.cluster.x-k8s.io",
                                                "clusterresourcesets.addons.cluster.x-k8s.io",
                                                "apps.kappctrl.k14s.io",
                                                "packageinstalls.packaging.carvel.dev"};
  return list;
}

std::vector<std::string> restore_order(const std::set<std::string>& types, const std::vector<std::string>& priorities) {
  std::vector<std::string> high;
  std::vector<std::string> low;
  std::set<std::string> named;
  bool low_part = false;
  for (const std::string& entry : priorities) {
    if (entry == "-") {
      low_part = true;
      continue;
    }
    for (const std::string& type : types) {
      if ((type == entry || type.starts_with(entry + ".")) && named.insert(type).second) {
        (low_part ? low : high).push_back(type);
      }
    }
  }
  for (const std::string& type : types) {
    if (!named.contains(type)) high.push_back(type);
  }
  high.insert(high.end(), low.begin(), low.end());
  return high;
}

bool restorable_type(std::string_view group_resource) {
  static const std::set<std::string, std::less<>> never = {"nodes",
                                                           "events",
                                                           "events.events.k8s.io",
                                                           "backups.velero.io",
                                                           "restores.velero.io",
                                                           "resticrepositories.velero.io",
                                                           "backuprepositories.velero.io",
                                                           "csinodes.storage.k8s.io",
                                                           "volumeattachments.storage.k8s.io"};
  return !never.contains(group_resource);
}

std::string skip_reason(std::string_view group_resource, const json::object& object) {
  if (group_resource == "pods") {
    const std::string phase = json::string_at(object, {"status", "phase"});
    if (phase == "Succeeded" || phase == "Failed") return "the pod had ended";
    if (has_annotation(object, "kubernetes.io/config.mirror")) return "it is a mirror pod of a node";
  }
  if (group_resource == "jobs.batch" && !json::string_at(object, {"status", "completionTime"}).empty()) {
    return "the job had ended";
  }
  return {};
}

void strip_metadata(json::object& object) {
  for (std::string_view field :
       {"generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "ownerReferences", "managedFields"}) {
    json::erase(object, {"metadata", field});
  }
}

void add_restore_labels(json::object& object, const std::string& backup, const std::string& restore) {
  json::object& labels = json::make_object(object, {"metadata", "labels"});
  labels["velero.io/backup-name"] = velero::label_value(backup);
  labels["velero.io/restore-name"] = velero::label_value(restore);
}

namespace {

json::object comparable(const json::object& object) {
  json::object copy = object;
  strip_metadata(copy);
  copy.erase("status");
  drop_label(copy, "velero.io/backup-name");
  drop_label(copy, "velero.io/restore-name");
  for (std::string_view map : {"labels", "annotations"}) {
    if (json::object_at(copy, {"metadata", map}).empty()) json::erase(copy, {"metadata", map});
  }
  return copy;
}

}  // namespace

bool equal_for_restore(const json::object& live, const json::object& wanted) {
  return comparable(live) == comparable(wanted);
}

json::object merge_patch(const json::object& from, const json::object& to) {
  json::object before = from;
  json::object after = to;
  for (json::object* side : {&before, &after}) {
    strip_metadata(*side);
    side->erase("status");
  }
  return kube::diff_merge_patch(before, after).get_object();
}

namespace {

void add_named(json::object& live, const json::object& backup, std::string_view list) {
  const json::array& wanted = json::array_at(backup, {list});
  if (wanted.empty()) return;
  json::array merged = json::array_at(live, {list});
  for (const json::value& entry : wanted) {
    if (std::find(merged.begin(), merged.end(), entry) == merged.end()) merged.push_back(entry);
  }
  live[list] = std::move(merged);
}

}  // namespace

json::object merge_service_account(const json::object& live, const json::object& backup) {
  json::object merged = live;
  add_named(merged, backup, "secrets");
  add_named(merged, backup, "imagePullSecrets");
  for (std::string_view map : {"labels", "annotations"}) {
    const json::object& wanted = json::object_at(backup, {"metadata", map});
    if (wanted.empty()) continue;
    json::object& members = json::make_object(merged, {"metadata", map});
    for (const auto& [name, value] : wanted) {
      if (!members.contains(name)) members[name] = value;
    }
  }
  return merged;
}

void replace_pull_secrets(json::object& pod, const std::vector<std::string>& secrets) {
  each_object(pod, {"spec", "imagePullSecrets"}, [&](json::object& reference) {
    const std::string old = json::string_at(reference, {"name"});
    const size_t at = old.find("-dockercfg-");
    if (at == std::string::npos || std::find(secrets.begin(), secrets.end(), old) != secrets.end()) return;
    const std::string prefix = old.substr(0, at) + "-dockercfg-";
    for (const std::string& name : secrets) {
      if (name.starts_with(prefix)) {
        reference["name"] = name;
        return;
      }
    }
  });
}

VolumeFacts::VolumeFacts(const std::vector<velero::BackupVolumeInfo>& infos,
                         const std::vector<velero::PodVolumeBackup>& backups) {
  for (const velero::BackupVolumeInfo& info : infos) {
    if (!info.pv_name.empty()) by_pv_.emplace(info.pv_name, info);
  }
  for (const velero::PodVolumeBackup& backup : backups) {
    const std::string& phase = backup.status.phase;
    if (backup.status.snapshot_id.empty() || (!phase.empty() && phase != velero::phase::kCompleted)) continue;
    RestoredVolume volume;
    volume.pod_namespace = backup.spec.pod.namespace_;
    volume.pod = backup.spec.pod.name;
    volume.volume = backup.spec.volume;
    volume.snapshot_id = backup.status.snapshot_id;
    volume.uploader = backup.spec.uploader_type.empty() ? "restic" : backup.spec.uploader_type;
    volume.repo_identifier = backup.spec.repo_identifier;
    volume.pvc = backup.metadata.annotation(velero::annotation::kPvcName);
    volume.size = backup.status.progress.total_bytes;
    if (!volume.pvc.empty()) saved_claims_.emplace(volume.pod_namespace, volume.pvc);
    const bool by_mover = backup.metadata.annotation(velero::annotation::kByMover) == "true" && !volume.pvc.empty();
    (by_mover ? mover_volumes_ : volumes_).push_back(std::move(volume));
  }
}

VolumeDecision VolumeFacts::decide(const json::object& pv) const {
  auto known = by_pv_.find(object_name(pv));
  if (known != by_pv_.end()) {
    const std::string& method = known->second.backup_method;
    if (method == "PodVolumeBackup" || method == "CSISnapshot") return VolumeDecision::provision_anew;
    if (method == "NativeSnapshot") return VolumeDecision::unsupported;
  }
  const std::pair claim(json::string_at(pv, {"spec", "claimRef", "namespace"}),
                        json::string_at(pv, {"spec", "claimRef", "name"}));
  if (saved_claims_.contains(claim)) return VolumeDecision::provision_anew;
  const bool goes = json::string_at(pv, {"spec", "persistentVolumeReclaimPolicy"}) == "Delete";
  return goes ? VolumeDecision::provision_anew : VolumeDecision::as_it_stands;
}

const velero::PvInfo* VolumeFacts::pv(const std::string& name) const {
  auto known = by_pv_.find(name);
  return known == by_pv_.end() || !known->second.pv_info ? nullptr : &*known->second.pv_info;
}

void unbind_claim(json::object& pvc) {
  json::erase(pvc, {"spec", "volumeName"});
  drop_annotation(pvc, "pv.kubernetes.io/bind-completed");
  drop_annotation(pvc, "pv.kubernetes.io/bound-by-controller");
}

void rebind_volume(json::object& pv, const RestoreFacts& facts) {
  const std::string ns = json::string_at(pv, {"spec", "claimRef", "namespace"});
  if (!ns.empty()) json::set(pv, {"spec", "claimRef", "namespace"}, json::value(facts.mapped(ns)));
  json::erase(pv, {"spec", "claimRef", "uid"});
  json::erase(pv, {"spec", "claimRef", "resourceVersion"});
}

}  // namespace holdfast::backup
