#include <fmt/format.h>

#include "backup/actions.h"
#include "backup/json_edit.h"

namespace holdfast::backup::actions {
namespace {

bool wait_container(const json::object& container) {
  const std::string name = json::string_at(container, {"name"});
  return name == "restore-wait" || name == "restic-wait";
}

/// The names of the pod's volumes into which data can come back.
std::set<std::string> fillable_volumes(const json::object& pod) {
  std::set<std::string> names;
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    if (json::find(volume, {"projected"}) != nullptr || json::find(volume, {"downwardAPI"}) != nullptr) continue;
    names.insert(json::string_at(volume, {"name"}));
  }
  return names;
}

json::object security_context(const json::object& pod, const RestoreWaitOptions& options) {
  if (options.security_context) return *options.security_context;
  const json::array& containers = json::array_at(pod, {"spec", "containers"});
  if (!containers.empty()) {
    const json::object& first = json::object_at(containers.front(), {"securityContext"});
    if (!first.empty()) return first;
  }
  return {{"runAsUser", 1000},
          {"runAsNonRoot", true},
          {"allowPrivilegeEscalation", false},
          {"capabilities", json::object{{"drop", json::array{"ALL"}}}},
          {"seccompProfile", json::object{{"type", "RuntimeDefault"}}}};
}

json::object field_env(std::string_view name, std::string_view path) {
  return {{"name", name}, {"valueFrom", json::object{{"fieldRef", json::object{{"fieldPath", path}}}}}};
}

json::object make_wait_container(const json::object& pod, const std::vector<std::string>& volumes,
                                 const RestoreFacts& facts) {
  const RestoreWaitOptions& options = facts.restore_wait;
  json::array mounts;
  for (const std::string& volume : volumes) {
    mounts.push_back(json::object{{"name", volume}, {"mountPath", "/restores/" + volume}});
  }
  return {
      {"name", "restore-wait"},
      {"image", options.image},
      {"command", json::from_strings(options.command)},
      {"args", json::array{facts.restore_uid, "--deadline=" + format_go_duration(options.deadline)}},
      {"env", json::array{field_env("POD_NAMESPACE", "metadata.namespace"), field_env("POD_NAME", "metadata.name")}},
      {"resources", options.resources},
      {"securityContext", security_context(pod, options)},
      {"volumeMounts", std::move(mounts)}};
}

}  // namespace

Result<Outcome> restore_pod_volumes(Objects pod, const RestoreFacts& facts) {
  Outcome out{.object = pod};
  drop_objects(out.object, {"spec", "initContainers"}, wait_container);
  const std::set<std::string> fillable = fillable_volumes(pod);
  std::vector<std::string> volumes;
  for (const RestoredVolume& volume : facts.volumes) {
    if (volume.pod_namespace == object_namespace(pod) && volume.pod == object_name(pod) &&
        fillable.contains(volume.volume)) {
      volumes.push_back(volume.volume);
    }
  }
  if (volumes.empty()) return out;
  if (facts.restore_wait.image.empty()) {
    return Error(ErrorCode::invalid, "no image is set for the init container that waits for the volumes",
                 "name one by the ConfigMap of plug-in pod-volume-restore or the server's --restore-helper-image");
  }
  json::array containers{make_wait_container(pod, volumes, facts)};
  for (const json::value& container : json::array_at(out.object, {"spec", "initContainers"})) {
    containers.push_back(container);
  }
  json::set(out.object, {"spec", "initContainers"}, std::move(containers));
  return out;
}

Result<Outcome> restore_pvcs_of_pod(Objects pod, const RestoreFacts&) {
  Outcome out{.object = pod};
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    if (!claim.empty()) out.additional.push_back({"persistentvolumeclaims", object_namespace(pod), claim});
  }
  return out;
}

Result<Outcome> restore_pvc(Objects pvc, const RestoreFacts&) {
  Outcome out{.object = pvc};
  const std::string volume = json::string_at(pvc, {"spec", "volumeName"});
  if (!volume.empty()) out.additional.push_back({"persistentvolumes", "", volume});
  for (std::string_view name :
       {"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node", "velero.io/vsi-volumesnapshot-restore-size"}) {
    drop_annotation(out.object, name);
  }
  drop_label(out.object, "velero.io/volume-snapshot-name");
  return out;
}

namespace {

Status change_class(json::object& holder, json::Path path, const RestoreFacts& facts) {
  json::value* found = find_mutable(holder, path);
  if (found == nullptr || !found->is_string()) return {};
  auto mapped = facts.storage_class_map.find(std::string(found->get_string()));
  if (mapped == facts.storage_class_map.end()) return {};
  if (!facts.storage_classes.contains(mapped->second)) {
    return Error(
        ErrorCode::not_found,
        fmt::format("storage class {} is mapped to {}, which the cluster does not have", mapped->first, mapped->second),
        "create the storage class or correct the change-storage-class ConfigMap");
  }
  *found = mapped->second;
  return {};
}

}  // namespace

Result<Outcome> restore_storage_class(Objects object, const RestoreFacts& facts) {
  Outcome out{.object = object};
  if (facts.storage_class_map.empty()) return out;
  TRY(change_class(out.object, {"spec", "storageClassName"}, facts));
  TRY(change_class(out.object, {"metadata", "annotations", "volume.beta.kubernetes.io/storage-class"}, facts));
  std::optional<Error> failure;
  each_object(out.object, {"spec", "volumeClaimTemplates"}, [&](json::object& claim) {
    const Status status = change_class(claim, {"spec", "storageClassName"}, facts);
    if (!status && !failure) failure = status.error();
  });
  if (failure) return *failure;
  return out;
}

}  // namespace holdfast::backup::actions
