// The last step of a restore on OpenShift, for DeploymentConfigs that were brought back at zero replicas.
//
// A config would start pods of its own beside the restored ones, on volumes that are being filled. So it comes back at
// zero, its restored pods are cut off from it, and once their volumes are full they make way for its own.
#pragma once

#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "backup/item.h"
#include "base/clock.h"
#include "kube/api.h"

namespace holdfast::backup {

struct HeldDeploymentConfigs {
  std::string restore_name;
  std::string restore_uid;
  std::set<std::string> namespaces;  ///< of the target
  /// Pods and claims of the target whose data did not come back, with the reason: nothing may start on them.
  std::map<ItemKey, std::string> missing_data;
};
struct FinishedDeploymentConfigs {
  int pods = 0;
  int configs = 0;
  std::vector<std::pair<std::string, std::string>> left;  ///< namespace, and why a config in it stays at zero
};

/// Deletes the pods that were cut off from their configs, waits until these are gone, then gives every config its
/// replicas and its pause back, and takes off the labels and annotations that kept them. A config that would start on
/// missing data stays at zero with its pods. Only what bears the restore's name and uid in its namespaces is touched.
/// Done twice it does no harm. timeout: a pod did not go.
[[nodiscard]] Result<FinishedDeploymentConfigs> finish_deployment_configs(kube::Api& api,
                                                                          const HeldDeploymentConfigs& held,
                                                                          Clock& clock, Duration deadline,
                                                                          std::stop_token stop = {});

}  // namespace holdfast::backup
