// Where a pod's volume lies on this node: the directory that the kubelet made for it, seen through the agent's mount of
// the kubelet's pods directory (velero.md 3.2).
//
// The layout is HOST_PODS/POD-UID/volumes/PLUGIN/NAME, with a directory `mount` in it for the plug-in
// kubernetes.io~csi; NAME is the PersistentVolume's name where a claim stands behind the volume, else the pod's own
// name of it. Nothing that comes out of an API object is trusted as a path. Stateless; any thread.
#pragma once

#include <string>

#include "base/json.h"
#include "kube/api.h"
#include "velero/types.h"

namespace holdfast::node {

/// The pod that an ObjectReference names. not_found where it is gone, or another one has its name.
[[nodiscard]] Result<json::value> find_pod(kube::Api& api, const velero::ObjectReference& reference,
                                           std::stop_token stop = {});

/// What stands behind a volume of a pod.
struct PodVolume {
  std::string directory_name;  ///< NAME in the layout
  std::string claim;           ///< of a PersistentVolumeClaim; empty: none
  std::string claim_uid;
};
/// not_found where the pod has no such volume or its claim is gone; conflict where the claim is not bound yet;
/// unsupported for a block device, which has no directory.
[[nodiscard]] Result<PodVolume> describe_volume(kube::Api& api, const json::value& pod, const std::string& volume,
                                                std::stop_token stop = {});

/// The volume's directory. Exactly one must exist: not_found for none, conflict for several (both are named); invalid
/// for names that are no single path element.
[[nodiscard]] Result<std::string> find_volume_directory(const std::string& host_pods, const std::string& pod_uid,
                                                        const std::string& directory_name);

}  // namespace holdfast::node
