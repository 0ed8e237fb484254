// Which volumes of a pod are backed up as files: by policy, else opt-in by annotation, or opt-out with
// defaultVolumesToFsBackup. Pure.
#pragma once

#include <functional>
#include <set>

#include "velero/resource_policy.h"
#include "velero/types/meta.h"

namespace holdfast::velero {

struct PodVolumeChoice {
  struct Skipped {
    std::string volume;
    std::string reason;    ///< ends up in volumeinfo's skippedReason and in the log
    bool warning = false;  ///< the user asked for it: tell them
  };
  StringList volumes;  ///< names of pod volumes, in the pod's order
  std::vector<Skipped> skipped;
};

struct PodVolumeRules {
  bool default_volumes_to_fs_backup = false;
  /// True where the PVC NAMESPACE, NAME is bound to a PV of type hostPath.
  std::function<bool(const std::string&, const std::string&)> claim_is_host_path;
  /// What the policy of the Backup says of an entry of spec.volumes; goes before annotations and the default.
  std::function<std::optional<VolumeAction>(const json::value&)> policy = {};
  /// "NAMESPACE/CLAIM" taken through another pod of this backup already.
  const std::set<std::string>* claims_taken = nullptr;
};

/// Applies the rules to a pod object. Total: a malformed pod has no volumes.
[[nodiscard]] PodVolumeChoice choose_pod_volumes(const json::value& pod, const PodVolumeRules& rules);

/// The claim behind a pod volume; empty for other kinds. An ephemeral volume's claim is POD-VOLUME.
[[nodiscard]] std::string claim_of(const json::value& pod, std::string_view volume);

}  // namespace holdfast::velero
