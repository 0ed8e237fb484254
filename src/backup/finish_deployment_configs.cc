#include <fmt/format.h>

#include "backup/run_restore.h"
#include "base/text.h"
#include "sync/retry.h"
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

kube::ListOptions labelled(std::string_view label, const std::string& restore) {
  kube::ListOptions options;
  options.label_selector = fmt::format("{}={}", label, velero::label_value(restore));
  return options;
}

/// Deletes the pods that were cut off from their configs.
Result<std::vector<PodId>> delete_pods(kube::Api& api, const std::string& restore, const std::stop_token& stop) {
  const kube::ListPage pods =
      TRY(kube::list_all(api, kube::types::pods(), "", labelled(velero::label::kDisconnectedFromDc, restore), stop));
  std::vector<PodId> deleted;
  for (const json::value& pod : pods.items) {
    PodId id{json::string_at(pod, {"metadata", "namespace"}), json::string_at(pod, {"metadata", "name"}),
             json::string_at(pod, {"metadata", "uid"})};
    kube::DeleteOptions options;
    options.uid = id.uid;
    Status removed = api.remove(kube::types::pods(), id.ns, id.name, options, stop);
    // conflict: another pod bears the name by now, so this one is gone too.
    if (!removed && !removed.is(ErrorCode::not_found) && !removed.is(ErrorCode::conflict)) {
      return std::move(removed).error().in(fmt::format("delete pod {}/{}", id.ns, id.name));
    }
    deleted.push_back(std::move(id));
  }
  return deleted;
}

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
  const json::value body = json::object{{"spec", json::object{{"replicas", replicas}, {"paused", paused}}}};
  Result<json::value> patched = api.patch(deployment_configs(), ns, name, kube::PatchKind::merge, body, {}, stop);
  if (!patched && !patched.is(ErrorCode::not_found)) return std::move(patched).error().in(what);
  return {};
}

}  // namespace

Result<FinishedDeploymentConfigs> finish_deployment_configs(kube::Api& api, const std::string& restore_name,
                                                            Clock& clock, Duration deadline, std::stop_token stop) {
  const BootTime until = clock.boottime() + deadline;
  const std::vector<PodId> pods = TRY(delete_pods(api, restore_name, stop));
  for (const PodId& pod : pods) TRY(wait_until_gone(api, pod, clock, until, stop));
  const kube::ListPage configs = TRY(
      kube::list_all(api, deployment_configs(), "", labelled(velero::label::kReplicasModified, restore_name), stop));
  for (const json::value& config : configs.items) TRY(give_back(api, config, stop));
  return FinishedDeploymentConfigs{static_cast<int>(pods.size()), static_cast<int>(configs.items.size())};
}

}  // namespace holdfast::backup
