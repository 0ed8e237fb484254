// What `holdfast install` puts into a cluster, as a list of objects in the order in which they are created.
//
// Pure: options in, objects out; who applies them is the caller's business. Names and labels are Velero's (Deployment
// `velero`, DaemonSet `node-agent`, component=velero), so that scripts and dashboards made for Velero find them. The
// program of every container is named in `command`: nothing depends on an image's entry point.
//
// Rights come in three parts, a service account each: `velero` (the controllers: read everything, write velero.io
// objects, make mover pods), `velero-restore` (what a restore writes; the controllers act as it while they restore, and
// no pod runs under it), `velero-node-agent` (data movement on one node). The rules are whole: the API server's RBAC is
// all that stands between them and the cluster.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace holdfast::install {

using StringMap = std::map<std::string, std::string>;

/// The BackupStorageLocation `default`.
struct LocationOptions {
  std::string provider = "aws";
  std::string bucket = {};
  std::string prefix = {};
  StringMap config = {};
  std::string ca_certificate = {};  ///< PEM; empty: the system's authorities
};

/// Kubernetes quantities; empty or "0": none.
struct ResourceOptions {
  std::string cpu_request = {}, memory_request = {}, cpu_limit = {}, memory_limit = {};
};

struct Options {
  std::string ns = "velero";
  std::string image = {};  ///< empty: default_image()
  std::string site = {};   ///< name of this site; empty: the controller takes the cluster's id
  int64_t replicas = 2;
  bool use_node_agent = false;
  bool privileged_node_agent = false;
  std::string kubelet_root = "/var/lib/kubelet";
  std::optional<LocationOptions> location = {};
  /// A directory of every node that serves as the store: the location is of provider holdfast.dev/directory, and the
  /// directory is mounted at the same path into all pods. Absolute; excludes `location`.
  std::string store_directory = {};
  bool default_location = true;  ///< false: the store directory is mounted, but no location is made of it
  std::optional<std::string> credentials = {};  ///< content of Secret cloud-credentials; none: no Secret
  StringMap pod_annotations = {};
  StringMap pod_labels = {};
  StringMap account_annotations = {};
  ResourceOptions controller_resources = {};
  ResourceOptions agent_resources = {};
  std::vector<std::string> controller_arguments = {};  ///< more options of `holdfast controller`
};

/// "localhost/holdfast:VERSION".
[[nodiscard]] std::string default_image();

/// The CustomResourceDefinitions, then everything else. invalid: an option that no cluster would take.
[[nodiscard]] Result<std::vector<json::value>> installation(const Options& options);
/// The CustomResourceDefinitions alone.
[[nodiscard]] std::vector<json::value> definitions();

/// Names of the cluster-scoped objects of an installation in that namespace, for `uninstall`.
struct ClusterNames {
  std::vector<std::string> roles;
  std::vector<std::string> bindings;
};
[[nodiscard]] ClusterNames cluster_names(const std::string& ns);

}  // namespace holdfast::install
