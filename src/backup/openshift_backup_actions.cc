#include <map>

#include "backup/actions.h"
#include "backup/json_edit.h"

namespace holdfast::backup::actions {
namespace {

bool selects(const json::object& selector, const json::value& pod) {
  for (const auto& [name, value] : selector) {
    const json::value* found = json::find(pod, {"metadata", "labels", name});
    if (found == nullptr || *found != value) return false;
  }
  return !selector.empty();
}

/// "a=1,b=2", sorted.
std::string label_text(const json::object& labels) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : labels) {
    if (value.is_string()) sorted.emplace(name, value.get_string());
  }
  std::string text;
  for (const auto& [name, value] : sorted) text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

}  // namespace

Result<Outcome> backup_openshift_any(Objects object, const BackupFacts& facts) {
  Outcome out{.object = object};
  if (facts.openshift_version.empty()) return out;
  json::set(out.object, {"metadata", "annotations", "openshift.io/backup-server-version"},
            json::value(facts.openshift_version));
  json::set(out.object, {"metadata", "annotations", "openshift.io/backup-registry-hostname"},
            json::value(facts.registry_hostname));
  return out;
}

Result<Outcome> backup_deployment_config(Objects config, const BackupFacts& facts) {
  Outcome out{.object = config};
  bool hooks = false;
  bool volumes = false;
  std::string labels;
  auto pods = facts.pods.find(object_namespace(config));
  if (pods != facts.pods.end()) {
    for (const json::value& pod : pods->second) {
      if (!selects(json::object_at(config, {"spec", "selector"}), pod) || !pod.is_object()) continue;
      const json::object& object = pod.get_object();
      hooks = hooks || has_annotation(object, "post.hook.restore.velero.io/command") ||
              has_annotation(object, "init.hook.restore.velero.io/container-image");
      volumes = volumes || !annotation(object, "backup.velero.io/backup-volumes").empty();
      if (labels.empty()) labels = label_text(json::object_at(object, {"metadata", "labels"}));
    }
  }
  json::object& annotations = json::make_object(out.object, {"metadata", "annotations"});
  annotations["oadp.openshift.io/includes-dm-dc-fix"] = "true";
  annotations["oadp.openshift.io/has-pod-restore-hooks"] = hooks ? "true" : "false";
  annotations["oadp.openshift.io/pods-have-volumes"] = volumes ? "true" : "false";
  annotations["oadp.openshift.io/pod-labels"] = labels;
  return out;
}

Result<Outcome> backup_openshift_service_account(Objects account, const BackupFacts& facts) {
  Outcome out{.object = account};
  const std::string user = "system:serviceaccount:" + object_namespace(account) + ":" + object_name(account);
  for (const json::value& constraints : facts.security_context_constraints) {
    for (const json::value& name : json::array_at(constraints, {"users"})) {
      if (!name.is_string() || name.get_string() != user) continue;
      out.additional.push_back(
          {"securitycontextconstraints.security.openshift.io", "", json::string_at(constraints, {"metadata", "name"})});
      break;
    }
  }
  return out;
}

}  // namespace holdfast::backup::actions
