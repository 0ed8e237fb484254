#include <fmt/format.h>

#include <algorithm>

#include "backup/actions.h"
#include "backup/json_edit.h"
#include "base/text.h"
#include "velero/names.h"

namespace holdfast::backup::actions {
namespace {

constexpr std::string_view kReplicas = "oadp.openshift.io/original-replicas";
constexpr std::string_view kPaused = "oadp.openshift.io/original-paused";

bool openshift(const RestoreFacts& facts) {
  return !facts.openshift_version.empty();
}

Outcome skipped(const json::object& object, std::string reason) {
  Outcome out{.object = object};
  out.skip = true;
  out.reason = std::move(reason);
  return out;
}

bool owned_by(const json::object& object, std::string_view kind) {
  for (const json::value& owner : json::array_at(object, {"metadata", "ownerReferences"})) {
    if (json::string_at(owner, {"kind"}) == kind) return true;
  }
  return false;
}

/// "registry/namespace/name:tag" of the old internal registry becomes that of the new one.
void swap_image(json::object& holder, std::string_view member, const std::string& from, const RestoreFacts& facts) {
  const std::string image = json::string_at(holder, {member});
  if (from.empty() || facts.registry_hostname.empty() || !image.starts_with(from + "/")) return;
  std::vector<std::string> parts = split(std::string_view(image).substr(from.size() + 1), '/');
  if (parts.size() == 2) parts[0] = facts.mapped(parts[0]);
  std::string swapped = facts.registry_hostname;
  for (const std::string& part : parts) swapped += "/" + part;
  holder[member] = swapped;
}

Result<Outcome> any(Objects object, const RestoreFacts& facts) {
  Outcome out{.object = object};
  if (!openshift(facts)) return out;
  const std::string from = annotation(object, "openshift.io/backup-registry-hostname");
  if (json::object* spec = pod_spec(out.object)) {
    each_container(*spec, [&](json::object& container) { swap_image(container, "image", from, facts); });
  }
  json::set(out.object, {"metadata", "annotations", "openshift.io/restore-server-version"},
            json::value(facts.openshift_version));
  json::set(out.object, {"metadata", "annotations", "openshift.io/restore-registry-hostname"},
            json::value(facts.registry_hostname));
  return out;
}

/// True where a volume of one of its pods (NAME-VERSION-SUFFIX) or of its template comes back, or should and does not.
/// The annotations alone do not tell: they know of volumes that pods opted in, not of those that a backup takes by
/// default. Two pods would share the volume.
bool data_comes_back(const json::object& config, const RestoreFacts& facts) {
  const std::string ns = json::string_at(config, {"metadata", "namespace"});
  const std::string prefix = json::string_at(config, {"metadata", "name"}) + "-";
  std::set<std::string> claims;
  for (const json::value& volume : json::array_at(config, {"spec", "template", "spec", "volumes"})) {
    const std::string claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    if (!claim.empty()) claims.insert(claim);
  }
  const bool comes = std::any_of(facts.volumes.begin(), facts.volumes.end(), [&](const RestoredVolume& volume) {
    return volume.pod_namespace == ns && (volume.pod.starts_with(prefix) || claims.contains(volume.pvc));
  });
  if (comes || !facts.lost_data) return comes;
  return std::any_of(claims.begin(), claims.end(),
                     [&](const std::string& claim) { return !facts.lost_data(ns, claim).empty(); });
}

Result<Outcome> deployment_config(Objects config, const RestoreFacts& facts) {
  Outcome out{.object = config};
  json::object& object = out.object;
  each_object(object, {"spec", "triggers"}, [&](json::object& trigger) {
    const std::string ns = json::string_at(trigger, {"imageChangeParams", "from", "namespace"});
    if (!ns.empty()) json::set(trigger, {"imageChangeParams", "from", "namespace"}, json::value(facts.mapped(ns)));
  });
  const bool annotated = has_annotation(object, "oadp.openshift.io/includes-dm-dc-fix");
  const bool held = annotation(object, "oadp.openshift.io/pods-have-volumes") == "true" ||
                    annotation(object, "oadp.openshift.io/has-pod-restore-hooks") == "true" ||
                    (facts.default_fs_backup && !annotated) || data_comes_back(object, facts);
  const int64_t replicas = json::int_at(object, {"spec", "replicas"});
  if (!held || replicas <= 0) return out;
  const bool paused = json::bool_at(object, {"spec", "paused"});
  json::set(object, {"metadata", "annotations", kReplicas}, json::value(std::to_string(replicas)));
  json::set(object, {"metadata", "annotations", kPaused}, paused ? "true" : "false");
  json::set(object, {"metadata", "labels", "oadp.openshift.io/replicas-modified"},
            json::value(velero::label_value(facts.restore_name)));
  json::set(object, {"metadata", "labels", velero::label::kRestoreUid}, json::value(facts.restore_uid));
  json::set(object, {"spec", "replicas"}, 0);
  json::set(object, {"spec", "paused"}, false);
  return out;
}

bool has_volumes_to_restore(const json::object& pod, const RestoreFacts& facts) {
  if (!annotation(pod, "backup.velero.io/backup-volumes").empty()) return true;
  for (const RestoredVolume& volume : facts.volumes) {
    if (volume.pod_namespace == object_namespace(pod) && volume.pod == object_name(pod)) return true;
  }
  return facts.default_fs_backup;
}

Result<Outcome> pod(Objects original, const RestoreFacts& facts) {
  Outcome out{.object = original};
  if (!openshift(facts)) return out;
  if (!annotation(original, "openshift.io/build.name").empty()) return skipped(original, "it is a build pod");
  json::erase(out.object, {"spec", "nodeSelector"});
  const bool hooks = facts.has_hooks && facts.has_hooks(original);
  if (!json::array_at(original, {"metadata", "ownerReferences"}).empty() && !hooks &&
      !has_volumes_to_restore(original, facts)) {
    return skipped(original, "its owner makes it anew, and it has neither volumes to restore nor hooks");
  }
  const bool of_config = !annotation(original, "openshift.io/deployment-config.name").empty() ||
                         !label(original, "deploymentconfig").empty();
  if (of_config) {
    drop_label(out.object, "deployment");
    drop_label(out.object, "deploymentconfig");
    json::set(out.object, {"metadata", "labels", "oadp.openshift.io/disconnected-from-dc"},
              json::value(velero::label_value(facts.restore_name)));
    json::set(out.object, {"metadata", "labels", velero::label::kRestoreUid}, json::value(facts.restore_uid));
  }
  for (const json::value& secret : json::array_at(original, {"spec", "imagePullSecrets"})) {
    out.needs_pull_secret =
        out.needs_pull_secret || json::string_at(secret, {"name"}).find("-dockercfg-") != std::string::npos;
  }
  return out;
}

Result<Outcome> replication_controller(Objects controller, const RestoreFacts& facts) {
  for (const json::value& owner : json::array_at(controller, {"metadata", "ownerReferences"})) {
    if (json::string_at(owner, {"kind"}) != "DeploymentConfig") continue;
    const ItemKey config{"deploymentconfigs.apps.openshift.io", object_namespace(controller),
                         json::string_at(owner, {"name"})};
    if (!facts.paused_deployment_configs.contains(config)) {
      return skipped(controller, "its DeploymentConfig makes it anew");
    }
  }
  return Outcome{.object = controller};
}

Result<Outcome> route(Objects object, const RestoreFacts&) {
  Outcome out{.object = object};
  if (annotation(object, "openshift.io/host.generated") == "true") json::erase(out.object, {"spec", "host"});
  return out;
}

Result<Outcome> security_context_constraints(Objects object, const RestoreFacts& facts) {
  Outcome out{.object = object};
  json::array* users = find_array(out.object, {"users"});
  if (users == nullptr) return out;
  for (json::value& user : *users) {
    if (!user.is_string()) continue;
    std::vector<std::string> parts = split(std::string_view(user.get_string()), ':');
    if (parts.size() != 4 || parts[0] != "system" || parts[1] != "serviceaccount") continue;
    user = fmt::format("system:serviceaccount:{}:{}", facts.mapped(parts[2]), parts[3]);
  }
  return out;
}

Result<Outcome> service_account(Objects account, const RestoreFacts& facts) {
  Outcome out{.object = account};
  if (!openshift(facts)) return out;
  const std::string prefix = object_name(account) + "-dockercfg-";
  const auto generated = [&](const json::object& secret) {
    return json::string_at(secret, {"name"}).starts_with(prefix);
  };
  drop_objects(out.object, {"secrets"}, generated);
  drop_objects(out.object, {"imagePullSecrets"}, generated);
  return out;
}

/// "system:serviceaccount:ns:name" and "system:serviceaccounts:ns" of a list, with the namespace mapped.
void map_names(json::object& object, std::string_view list, std::string_view prefix, const RestoreFacts& facts) {
  json::array* names = find_array(object, {list});
  if (names == nullptr) return;
  for (json::value& name : *names) {
    if (!name.is_string()) continue;
    const std::string text(name.get_string());
    if (!text.starts_with(prefix)) continue;
    const std::string rest = text.substr(prefix.size());
    const size_t colon = rest.find(':');
    const std::string ns = rest.substr(0, colon);
    name = std::string(prefix) + facts.mapped(ns) + (colon == std::string::npos ? "" : rest.substr(colon));
  }
}

Result<Outcome> role_binding(Objects binding, const RestoreFacts& facts) {
  const std::string name = object_name(binding);
  for (std::string_view made : {"system:image-pullers", "system:image-builders", "system:deployers"}) {
    if (name == made) return skipped(binding, "every OpenShift project gets it anew");
  }
  Outcome out = TRY(restore_role_binding(binding, facts));
  map_names(out.object, "userNames", "system:serviceaccount:", facts);
  map_names(out.object, "groupNames", "system:serviceaccounts:", facts);
  return out;
}

Result<Outcome> service(Objects object, const RestoreFacts& facts) {
  Outcome out{.object = object};
  if (openshift(facts) && json::string_at(out.object, {"spec", "type"}) == "LoadBalancer") {
    json::erase(out.object, {"spec", "externalIPs"});
  }
  return out;
}

Result<Outcome> secret(Objects object, const RestoreFacts&) {
  for (std::string_view name :
       {"service.beta.openshift.io/originating-service-name", "service.alpha.openshift.io/originating-service-name"}) {
    if (has_annotation(object, name)) return skipped(object, "OpenShift signs this serving certificate anew");
  }
  return Outcome{.object = object};
}

Result<Outcome> never(Objects object, const RestoreFacts&) {
  return skipped(object, "made anew by OpenShift");
}

Result<Outcome> build_config(Objects object, const RestoreFacts& facts) {
  Outcome out{.object = object};
  if (!openshift(facts)) return out;
  const std::string from = annotation(object, "openshift.io/backup-registry-hostname");
  for (std::string_view strategy : {"sourceStrategy", "dockerStrategy", "customStrategy"}) {
    json::value* reference = find_mutable(out.object, {"spec", "strategy", strategy, "from"});
    if (reference != nullptr && reference->is_object()) swap_image(reference->get_object(), "name", from, facts);
    json::erase(out.object, {"spec", "strategy", strategy, "pullSecret"});
  }
  json::value* target = find_mutable(out.object, {"spec", "output", "to"});
  if (target != nullptr && target->is_object()) swap_image(target->get_object(), "name", from, facts);
  json::erase(out.object, {"spec", "output", "pushSecret"});
  return out;
}

Result<Outcome> job(Objects object, const RestoreFacts& facts) {
  if (openshift(facts) && owned_by(object, "CronJob")) return skipped(object, "its CronJob makes it anew");
  return Outcome{.object = object};
}

Result<Outcome> config_map(Objects object, const RestoreFacts& facts) {
  if (!openshift(facts)) return Outcome{.object = object};
  for (const json::value& owner : json::array_at(object, {"metadata", "ownerReferences"})) {
    const std::string name = json::string_at(owner, {"name"});
    if (json::string_at(owner, {"kind"}) == "Pod" && name.ends_with("-build")) {
      return skipped(object, "it belongs to a build pod");
    }
  }
  return Outcome{.object = object};
}

Result<Outcome> autoscaler(Objects object, const RestoreFacts&) {
  Outcome out{.object = object};
  if (json::string_at(out.object, {"spec", "scaleTargetRef", "kind"}) == "DeploymentConfig") {
    json::set(out.object, {"spec", "scaleTargetRef", "apiVersion"}, "apps.openshift.io/v1");
  }
  return out;
}

}  // namespace

const std::vector<RestoreAction>& openshift_restore_actions() {
  static const std::vector<RestoreAction> table = {
      {"openshift-any", {}, any},
      {"openshift-deploymentconfig", {"deploymentconfigs.apps.openshift.io"}, deployment_config},
      {"openshift-pod", {"pods"}, pod},
      {"openshift-replicationcontroller", {"replicationcontrollers"}, replication_controller},
      {"openshift-route", {"routes.route.openshift.io"}, route},
      {"openshift-scc", {"securitycontextconstraints.security.openshift.io"}, security_context_constraints},
      {"openshift-serviceaccount", {"serviceaccounts"}, service_account},
      {"openshift-rolebinding", {"rolebindings.authorization.openshift.io"}, role_binding},
      {"openshift-service", {"services"}, service},
      {"openshift-secret", {"secrets"}, secret},
      {"openshift-build", {"builds.build.openshift.io", "imagetags.image.openshift.io"}, never},
      {"openshift-buildconfig", {"buildconfigs.build.openshift.io"}, build_config},
      {"openshift-job", {"jobs.batch"}, job},
      {"openshift-configmap", {"configmaps"}, config_map},
      {"openshift-hpa", {"horizontalpodautoscalers.autoscaling"}, autoscaler},
  };
  return table;
}

}  // namespace holdfast::backup::actions
