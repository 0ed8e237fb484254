// A pod's volumes on the node, laid out as a kubelet does: PODS/UID/volumes/PLUGIN/NAME.
//
//   emptyDir    kubernetes.io~empty-dir/NAME          configMap  kubernetes.io~configmap/NAME
//   secret      kubernetes.io~secret/NAME             projected  kubernetes.io~projected/NAME
//   downwardAPI kubernetes.io~downward-api/NAME       PVC (local PV)  kubernetes.io~local-volume/PVNAME, a bind mount
//   hostPath    used where it is
//
// Plain values of the pod and of what the API answers go in; paths come out. Called by one thread per pod.
#pragma once

#include <map>
#include <string>

#include "kube/api.h"

namespace holdfast::sandbox {

struct VolumeContext {
  kube::Api& api;
  std::string pods_directory;  ///< "/var/lib/kubelet/pods"
  std::string node_name;
  std::string node_ip;
  std::string ca_pem;  ///< the cluster's, for projected service account volumes
};

/// Host paths by volume name, everything present and mounted. unavailable while something it needs is not there yet
/// (a claim that is not bound, a missing ConfigMap): try again later. unsupported names a volume type we do not have.
[[nodiscard]] Result<std::map<std::string, std::string>> set_up_volumes(const VolumeContext& context,
                                                                        const json::value& pod,
                                                                        const std::string& pod_ip);
/// Unmounts and removes everything of the pod; what is gone already is fine. A persistent volume's data stays.
[[nodiscard]] Status tear_down_volumes(const std::string& pods_directory, const std::string& pod_uid);

/// The value of a downward API field ("metadata.name", "metadata.labels['x']", "status.podIP", "spec.nodeName", ...).
[[nodiscard]] Result<std::string> downward_field(const json::value& pod, const std::string& path,
                                                 const std::string& node_ip, const std::string& pod_ip);

}  // namespace holdfast::sandbox
