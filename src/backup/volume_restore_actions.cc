#include <fmt/format.h>

#include <algorithm>

#include "backup/actions.h"
#include "backup/json_edit.h"
#include "velero/volume_rules.h"

namespace holdfast::backup::actions {
namespace {

bool wait_container(const json::object& container) {
  const std::string name = json::string_at(container, {"name"});
  return name == "restore-wait" || name == "restic-wait";
}

/// The names of the pod's volumes into which data can come back.
std::vector<std::string> fillable_volumes(const json::object& pod) {
  std::vector<std::string> names;
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    if (json::find(volume, {"projected"}) != nullptr || json::find(volume, {"downwardAPI"}) != nullptr) continue;
    names.push_back(json::string_at(volume, {"name"}));
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

/// What a pod waits for before it may start.
struct Awaited {
  std::vector<std::string> volumes;  ///< whose data comes back, through this pod or through another one
  std::vector<std::string> shared;   ///< those of them that other pods wait for as well
  std::string refusal;               ///< data that will not come; empty: none
};

Awaited awaited_by(const json::object& pod, const RestoreFacts& facts) {
  const std::string ns = object_namespace(pod);
  const json::value value(pod);
  Awaited out;
  for (const std::string& volume : fillable_volumes(pod)) {
    const std::string claim = velero::claim_of(value, volume);
    const bool comes = std::any_of(facts.volumes.begin(), facts.volumes.end(), [&](const RestoredVolume& one) {
      if (one.pod_namespace != ns) return false;
      return (one.pod == object_name(pod) && one.volume == volume) || (!claim.empty() && one.pvc == claim);
    });
    if (comes) {
      out.volumes.push_back(volume);
      if (!claim.empty() && facts.shared_claims.contains({"persistentvolumeclaims", ns, claim})) {
        out.shared.push_back(volume);
      }
    } else if (!claim.empty() && facts.lost_data) {
      const std::string reason = facts.lost_data(ns, claim);
      if (reason.empty()) continue;
      out.refusal += fmt::format("{}claim {} is empty: {}", out.refusal.empty() ? "" : "; ", claim, reason);
    }
  }
  return out;
}

json::object make_wait_container(const json::object& pod, const Awaited& awaited, const RestoreFacts& facts) {
  const RestoreWaitOptions& options = facts.restore_wait;
  json::array mounts;
  for (const std::string& volume : awaited.volumes) {
    mounts.push_back(json::object{{"name", volume}, {"mountPath", "/restores/" + volume}});
  }
  json::array arguments{facts.restore_uid, "--deadline=" + format_go_duration(options.deadline)};
  for (const std::string& volume : awaited.shared) arguments.push_back(json::value("--keep-marks=" + volume));
  if (!awaited.refusal.empty()) arguments.push_back(json::value("--refuse=" + awaited.refusal));
  json::object container{
      {"name", "restore-wait"},
      {"image", options.image},
      {"command", json::from_strings(options.command)},
      {"args", std::move(arguments)},
      {"env", json::array{field_env("POD_NAMESPACE", "metadata.namespace"), field_env("POD_NAME", "metadata.name")}},
      {"resources", options.resources},
      {"securityContext", security_context(pod, options)},
      // The reason of its failure stands in the pod's status.
      {"terminationMessagePolicy", "FallbackToLogsOnError"}};
  if (!mounts.empty()) container["volumeMounts"] = std::move(mounts);
  return container;
}

}  // namespace

Result<Outcome> restore_pod_volumes(Objects pod, const RestoreFacts& facts) {
  Outcome out{.object = pod};
  drop_objects(out.object, {"spec", "initContainers"}, wait_container);
  const Awaited awaited = awaited_by(pod, facts);
  if (awaited.volumes.empty() && awaited.refusal.empty()) return out;
  if (facts.restore_wait.image.empty()) {
    return Error(ErrorCode::invalid, "no image is set for the init container that waits for the volumes",
                 "name one by the ConfigMap of plug-in pod-volume-restore or the server's --restore-helper-image");
  }
  json::array containers{make_wait_container(pod, awaited, facts)};
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
