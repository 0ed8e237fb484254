#include "velero/volume_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "velero/names.h"

namespace holdfast::velero {

namespace {

/// Velero's words.
constexpr std::string_view kSkippedByPolicy = "matched action is 'skip' in chosen resource policies";

StringList annotation_list(const json::value& pod, std::string_view key) {
  StringList out;
  for (const std::string& part : split(json::string_at(pod, {"metadata", "annotations", key}), ',')) {
    const std::string_view name = trim(part);
    if (!name.empty()) out.emplace_back(name);
  }
  return out;
}

bool contains(const StringList& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::set<std::string> mounted_volumes(const json::value& pod) {
  std::set<std::string> out;
  for (const std::string_view list : {"containers", "initContainers"})
    for (const json::value& container : json::array_at(pod, {"spec", list}))
      for (const std::string_view kind : {"volumeMounts", "volumeDevices"})
        for (const json::value& mount : json::array_at(container, {kind})) out.insert(json::string_at(mount, {"name"}));
  return out;
}

/// Why a volume's kind is never copied as files; empty where it is.
std::string_view unsuitable(const json::value& volume) {
  struct Kind {
    std::string_view member;
    std::string_view reason;
  };
  static constexpr Kind kKinds[] = {{"hostPath", "hostPath volumes are not supported"},
                                    {"secret", "secret volumes come from their Secret"},
                                    {"configMap", "configMap volumes come from their ConfigMap"},
                                    {"projected", "projected volumes are made by the cluster"},
                                    {"downwardAPI", "downwardAPI volumes are made by the cluster"}};
  for (const Kind& kind : kKinds)
    if (json::find(volume, {kind.member}) != nullptr) return kind.reason;
  return {};
}

/// Why opt-out mode leaves a volume; empty where it takes it.
std::string opt_out_reason(const json::value& volume, const std::string& name, const StringList& excluded) {
  if (contains(excluded, name)) return fmt::format("excluded by annotation {}", annotation::kVolumesToExclude);
  if (name.starts_with("default-token")) return "service account token";
  return std::string(unsuitable(volume));
}

}  // namespace

std::string claim_of(const json::value& pod, std::string_view volume) {
  for (const json::value& entry : json::array_at(pod, {"spec", "volumes"})) {
    if (json::string_at(entry, {"name"}) != volume) continue;
    if (json::find(entry, {"ephemeral"}) != nullptr)
      return fmt::format("{}-{}", json::string_at(pod, {"metadata", "name"}), volume);
    return json::string_at(entry, {"persistentVolumeClaim", "claimName"});
  }
  return {};
}

PodVolumeChoice choose_pod_volumes(const json::value& pod, const PodVolumeRules& rules) {
  PodVolumeChoice out;
  const std::string namespace_ = json::string_at(pod, {"metadata", "namespace"});
  const StringList wanted = annotation_list(pod, annotation::kVolumesToBackup);
  const StringList excluded = annotation_list(pod, annotation::kVolumesToExclude);
  const std::set<std::string> mounted = mounted_volumes(pod);
  std::set<std::string> present;
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string name = json::string_at(volume, {"name"});
    present.insert(name);
    const bool asked = contains(wanted, name);
    std::optional<VolumeAction> action;
    if (rules.policy && unsuitable(volume).empty() && !name.starts_with("default-token")) action = rules.policy(volume);
    if (action == VolumeAction::skip) {
      out.skipped.push_back({name, std::string(kSkippedByPolicy), false});
      continue;
    }
    const bool by_policy = action == VolumeAction::fs_backup;
    if (!rules.default_volumes_to_fs_backup && !asked && !by_policy) continue;
    std::string reason;
    if (rules.default_volumes_to_fs_backup && !by_policy)
      reason = opt_out_reason(volume, name, excluded);
    else if (json::find(volume, {"hostPath"}) != nullptr)
      reason = unsuitable(volume);
    const std::string claim = claim_of(pod, name);
    if (reason.empty() && !claim.empty() && rules.claim_is_host_path && rules.claim_is_host_path(namespace_, claim))
      reason = fmt::format("claim {} is bound to a hostPath volume", claim);
    const bool unmounted = reason.empty() && !mounted.contains(name);
    if (unmounted) reason = "no container mounts it";
    if (reason.empty() && !claim.empty() && rules.claims_taken != nullptr &&
        rules.claims_taken->contains(fmt::format("{}/{}", namespace_, claim)))
      reason = fmt::format("claim {} is backed up through another pod", claim);
    if (reason.empty()) {
      out.volumes.push_back(name);
    } else {
      out.skipped.push_back({name, reason, asked || unmounted});
    }
  }
  for (const std::string& name : wanted)
    if (!rules.default_volumes_to_fs_backup && !present.contains(name))
      out.skipped.push_back(
          {name, fmt::format("named in annotation {} but the pod has no such volume", annotation::kVolumesToBackup),
           true});
  return out;
}

}  // namespace holdfast::velero
