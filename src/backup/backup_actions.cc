#include "backup/actions.h"
#include "backup/json_edit.h"
#include "velero/names.h"

namespace holdfast::backup::actions {

Result<Outcome> backup_pvc(Objects pvc, const BackupFacts& facts) {
  Outcome out{.object = pvc};
  json::object& object = out.object;
  json::erase(object, {"spec", "dataSource"});
  json::erase(object, {"spec", "dataSourceRef"});
  const json::value* storage_class = json::find(object, {"spec", "storageClassName"});
  // Only an explicitly empty class binds by selector; beside a class the selector is left over from a restore.
  if (storage_class != nullptr && storage_class->is_string() && !storage_class->get_string().empty()) {
    json::erase(object, {"spec", "selector"});
  }
  const std::string from_backup = label(object, "velero.io/backup-name");
  if (!from_backup.empty() && from_backup != velero::label_value(facts.backup_name)) {
    drop_label(object, "velero.io/backup-name");
    drop_label(object, "velero.io/restore-name");
  }
  const std::string volume = json::string_at(object, {"spec", "volumeName"});
  if (!volume.empty() && json::string_at(object, {"status", "phase"}) == "Bound") {
    out.additional.push_back({"persistentvolumes", "", volume});
  }
  return out;
}

Result<Outcome> backup_pod(Objects pod, const BackupFacts&) {
  Outcome out{.object = pod};
  // The start permit is given anew at the place where the pod comes back.
  drop_objects(out.object, {"spec", "initContainers"},
               [](const json::object& container) { return json::string_at(container, {"name"}) == "holdfast-gate"; });
  drop_objects(out.object, {"status", "initContainerStatuses"},
               [](const json::object& status) { return json::string_at(status, {"name"}) == "holdfast-gate"; });
  const std::string ns = object_namespace(pod);
  each_object(out.object, {"spec", "volumes"}, [&](json::object& volume) {
    const std::string claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    if (!claim.empty()) out.additional.push_back({"persistentvolumeclaims", ns, claim});
  });
  const std::string priority = json::string_at(out.object, {"spec", "priorityClassName"});
  if (!priority.empty()) out.additional.push_back({"priorityclasses.scheduling.k8s.io", "", priority});
  return out;
}

Result<Outcome> backup_service_account(Objects account, const BackupFacts& facts) {
  Outcome out{.object = account};
  const std::string ns = object_namespace(account);
  const std::string name = object_name(account);
  for (const json::value& binding : facts.cluster_role_bindings) {
    bool names_it = false;
    for (const json::value& subject : json::array_at(binding, {"subjects"})) {
      names_it =
          names_it || (json::string_at(subject, {"kind"}) == "ServiceAccount" &&
                       json::string_at(subject, {"name"}) == name && json::string_at(subject, {"namespace"}) == ns);
    }
    if (!names_it) continue;
    out.additional.push_back(
        {"clusterrolebindings.rbac.authorization.k8s.io", "", json::string_at(binding, {"metadata", "name"})});
    const std::string role = json::string_at(binding, {"roleRef", "name"});
    if (json::string_at(binding, {"roleRef", "kind"}) == "ClusterRole" && !role.empty()) {
      out.additional.push_back({"clusterroles.rbac.authorization.k8s.io", "", role});
    }
  }
  return out;
}

}  // namespace holdfast::backup::actions
