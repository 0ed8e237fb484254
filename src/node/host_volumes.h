// Where a pod's volume lies on this node: the directory that the kubelet made for it, seen through the agent's mount of
// the kubelet's pods directory (velero.md 3.2).
//
// The layout is HOST_PODS/POD-UID/volumes/PLUGIN/NAME, with a directory `mount` in it for the plug-in
// kubernetes.io~csi; NAME is the PersistentVolume's name where a claim stands behind the volume, else the pod's own
// name of it. Nothing that comes out of an API object is trusted as a path. Stateless; any thread.
#pragma once

#include <functional>
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
/// for names that are no single path element. Links on the way are not followed.
[[nodiscard]] Result<std::string> find_volume_directory(const std::string& host_pods, const std::string& pod_uid,
                                                        const std::string& directory_name);

/// Whether something is mounted at a directory. An error: it cannot be told.
using MountTest = std::function<Result<bool>(const std::string& directory)>;
/// By /proc/self/mountinfo, which tells bind mounts of one file system apart, too.
[[nodiscard]] Result<bool> is_mount_point(const std::string& directory);

/// A volume must be mounted before it is read or written: where it is not, its directory is a bare one of the node's
/// own disk. conflict, with what was found. Only an emptyDir may be a plain directory.
[[nodiscard]] Status check_mounted(const std::string& directory, const MountTest& test);

}  // namespace holdfast::node
