// Where a cluster is and who we are there: kubeconfig files (v1 Config) and a pod's service account.
//
// Reads files, runs nothing. Errors name the file and the field. Environment variables are handed in by the caller.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "net/http.h"

namespace holdfast::kube {

/// A program that prints credentials (client.authentication.k8s.io v1 or v1beta1).
struct ExecPlugin {
  std::string api_version;
  std::string command;
  std::vector<std::string> args = {};
  std::vector<std::pair<std::string, std::string>> env = {};
  std::string install_hint = {};
  bool provide_cluster = false;
};

/// Everything that a connection needs. Holds secrets: never log it.
struct ClusterAccess {
  std::string server;  ///< "https://host:port", maybe with a path; no slash at the end
  net::TlsOptions tls = {};
  std::string proxy = {};      ///< as net::ClientOptions::proxy
  std::string ns = "default";  ///< the context's namespace
  std::string token = {};
  std::string token_file = {};  ///< read anew when older than a minute; wins over `token`
  std::string username = {};
  std::string password = {};
  std::optional<ExecPlugin> exec = {};
  std::string impersonate_user = {};
  std::vector<std::string> impersonate_groups = {};
};

/// One parsed file: the mapping, with every relative path made absolute against the file's directory.
/// invalid names file and field; it is whole or not taken.
[[nodiscard]] Result<json::object> parse_kubeconfig(std::string_view text, const std::string& path);

/// Merges as kubectl does: for each name, and for current-context, the first file that has it wins.
[[nodiscard]] json::object merge_kubeconfigs(const std::vector<json::object>& files);

/// What a context ("": the current one) says, with certificate files read. invalid where something is missing.
[[nodiscard]] Result<ClusterAccess> resolve_context(const json::object& config, const std::string& context);

/// The files that $KUBECONFIG names ("a:b"), or ~/.kube/config.
[[nodiscard]] std::vector<std::string> kubeconfig_paths(std::string_view kubeconfig_variable, const std::string& home);

/// Parse, merge and resolve. Files that do not exist are left out where there are several; not_found where none does.
[[nodiscard]] Result<ClusterAccess> load_kubeconfig(const std::vector<std::string>& paths, const std::string& context);

/// From a pod: $KUBERNETES_SERVICE_HOST and _PORT, and the service account's directory.
[[nodiscard]] Result<ClusterAccess> in_cluster_access(
    const std::string& host, const std::string& port,
    const std::string& directory = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace holdfast::kube
