#include "backup/finish_deployment_configs.h"

#include <fmt/format.h>

#include "base/text.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

const kube::ResourceType& deployment_configs() {
  static const kube::ResourceType type{.group = "apps.openshift.io",
                                       .version = "v1",
                                       .plural = "deploymentconfigs",
                                       .kind = "DeploymentConfig",
                                       .namespaced = true,
                                       .singular = "deploymentconfig",
                                       .short_names = {"dc"},
                                       .verbs = {"get", "list", "patch"},
                                       .preferred = true};
  return type;
}

struct PodId {
  std::string ns;
  std::string name;
  std::string uid;
};

bool mounts(const json::value& pod_spec, const std::string& claim) {
  for (const json::value& volume : json::array_at(pod_spec, {"volumes"})) {
    if (json::string_at(volume, {"persistentVolumeClaim", "claimName"}) == claim) return true;
  }
  return false;
}

/// The step for one restore.
class Finish {
 public:
  Finish(kube::Api& api, const HeldDeploymentConfigs& held, std::stop_token stop)
      : api_(api), held_(held), stop_(std::move(stop)) {}

  /// The objects of the restore that bear this label, in its namespaces.
  Result<std::vector<json::value>> find(const kube::ResourceType& type, std::string_view label) const {
    kube::ListOptions options;
    options.label_selector = fmt::format("{}={},{}={}", label, velero::label_value(held_.restore_name),
                                         velero::label::kRestoreUid, held_.restore_uid);
    kube::ListPage page = TRY(kube::list_all(api_, type, "", options, stop_));
    std::erase_if(page.items, [&](const json::value& object) {
      return !held_.namespaces.contains(json::string_at(object, {"metadata", "namespace"}));
    });
    return std::move(page.items);
  }

  /// Why a config must not start; empty: it may.
  std::string reason_to_leave(const json::value& config, const std::vector<json::value>& pods) const {
    const std::string ns = json::string_at(config, {"metadata", "namespace"});
    for (const auto& [key, reason] : held_.missing_data) {
      if (key.ns != ns) continue;
      if (key.group_resource == "pods" ? is_of(key.name, config, pods) : uses(config, pods, key.name)) {
        return fmt::format("{}: {}", key.to_string(), reason);
      }
    }
    return {};
  }

  /// A cut-off pod lost the labels that tie it to its config; the annotation stays, where OpenShift made one, and the
  /// name does always: NAME-VERSION-SUFFIX.
  static bool belongs(const json::value& pod, const json::value& config) {
    const std::string name = json::string_at(config, {"metadata", "name"});
    if (json::string_at(pod, {"metadata", "namespace"}) != json::string_at(config, {"metadata", "namespace"}))
      return false;
    const std::string noted = json::string_at(pod, {"metadata", "annotations", "openshift.io/deployment-config.name"});
    if (!noted.empty()) return noted == name;
    return json::string_at(pod, {"metadata", "name"}).starts_with(name + "-");
  }

  Status remove(const PodId& pod) const {
    kube::DeleteOptions options;
    options.uid = pod.uid;
    Status removed = api_.remove(kube::types::pods(), pod.ns, pod.name, options, stop_);
    // conflict: another pod bears the name by now, so this one is gone too.
    if (removed || removed.is(ErrorCode::not_found) || removed.is(ErrorCode::conflict)) return {};
    return std::move(removed).error().in(fmt::format("delete pod {}/{}", pod.ns, pod.name));
  }

 private:
  static bool is_of(const std::string& pod, const json::value& config, const std::vector<json::value>& pods) {
    for (const json::value& one : pods) {
      if (json::string_at(one, {"metadata", "name"}) == pod && belongs(one, config)) return true;
    }
    return false;
  }
  /// The claim is in the config's template, or in one of its pods.
  static bool uses(const json::value& config, const std::vector<json::value>& pods, const std::string& claim) {
    const json::value* spec = json::find(config, {"spec", "template", "spec"});
    if (spec != nullptr && mounts(*spec, claim)) return true;
    for (const json::value& pod : pods) {
      const json::value* own = json::find(pod, {"spec"});
      if (own != nullptr && belongs(pod, config) && mounts(*own, claim)) return true;
    }
    return false;
  }

  kube::Api& api_;
  const HeldDeploymentConfigs& held_;
  const std::stop_token stop_;
};

Status wait_until_gone(kube::Api& api, const PodId& pod, Clock& clock, BootTime deadline, const std::stop_token& stop) {
  while (true) {
    const Result<json::value> live = api.get(kube::types::pods(), pod.ns, pod.name, stop);
    if (live.is(ErrorCode::not_found)) return {};
    if (live && json::string_at(*live, {"metadata", "uid"}) != pod.uid) return {};
    if (!live && !live.error().retryable()) return live.error();
    if (clock.boottime() >= deadline) {
      return Error(ErrorCode::timeout, fmt::format("pod {}/{} does not go", pod.ns, pod.name),
                   "its node may be dead: see that it cannot write any more, then delete the pod by force");
    }
    TRY(clock.sleep(stop, std::chrono::seconds(1)));
  }
}

Status give_back(kube::Api& api, const json::value& config, const std::stop_token& stop) {
  const std::string ns = json::string_at(config, {"metadata", "namespace"});
  const std::string name = json::string_at(config, {"metadata", "name"});
  const std::string what = fmt::format("DeploymentConfig {}/{}", ns, name);
  const std::string text = json::string_at(config, {"metadata", "annotations", velero::annotation::kOriginalReplicas});
  const int64_t replicas =
      TRY(parse_int(text).in(fmt::format("{}: annotation {}", what, velero::annotation::kOriginalReplicas)));
  const bool paused =
      json::string_at(config, {"metadata", "annotations", velero::annotation::kOriginalPaused}) == "true";
  json::object body{{"spec", json::object{{"replicas", replicas}, {"paused", paused}}}};
  // In the same patch: a later restore of that name must not take this config for its own.
  for (std::string_view label : {velero::label::kReplicasModified, velero::label::kRestoreUid}) {
    json::set(body, {"metadata", "labels", label}, json::value());
  }
  for (std::string_view note : {velero::annotation::kOriginalReplicas, velero::annotation::kOriginalPaused}) {
    json::set(body, {"metadata", "annotations", note}, json::value());
  }
  Result<json::value> patched = api.patch(deployment_configs(), ns, name, kube::PatchKind::merge, body, {}, stop);
  if (!patched && !patched.is(ErrorCode::not_found)) return std::move(patched).error().in(what);
  return {};
}

}  // namespace

Result<FinishedDeploymentConfigs> finish_deployment_configs(kube::Api& api, const HeldDeploymentConfigs& held,
                                                            Clock& clock, Duration deadline, std::stop_token stop) {
  const BootTime until = clock.boottime() + deadline;
  const Finish step(api, held, stop);
  std::vector<json::value> pods = TRY(step.find(kube::types::pods(), velero::label::kDisconnectedFromDc));
  std::vector<json::value> configs = TRY(step.find(deployment_configs(), velero::label::kReplicasModified));
  FinishedDeploymentConfigs out;
  std::erase_if(configs, [&](const json::value& config) {
    const std::string reason = step.reason_to_leave(config, pods);
    if (reason.empty()) return false;
    const std::string ns = json::string_at(config, {"metadata", "namespace"});
    out.left.emplace_back(ns, fmt::format("DeploymentConfig {}/{} stays at zero replicas, as its data is missing: {}",
                                          ns, json::string_at(config, {"metadata", "name"}), reason));
    std::erase_if(pods, [&](const json::value& pod) { return Finish::belongs(pod, config); });
    return true;
  });
  // A pod whose own data is missing stays as it is, whosever it was.
  std::vector<PodId> going;
  for (const json::value& pod : pods) {
    PodId id{json::string_at(pod, {"metadata", "namespace"}), json::string_at(pod, {"metadata", "name"}),
             json::string_at(pod, {"metadata", "uid"})};
    if (!held.missing_data.contains({"pods", id.ns, id.name})) going.push_back(std::move(id));
  }
  for (const PodId& pod : going) TRY(step.remove(pod));
  for (const PodId& pod : going) TRY(wait_until_gone(api, pod, clock, until, stop));
  for (const json::value& config : configs) TRY(give_back(api, config, stop));
  out.pods = static_cast<int>(going.size());
  out.configs = static_cast<int>(configs.size());
  return out;
}

}  // namespace holdfast::backup
