// Inside install/ only: the parts of an installation.
#pragma once

#include "install/installation.h"

namespace holdfast::install {

inline constexpr std::string_view kControllerAccount = "velero";
inline constexpr std::string_view kRestoreAccount = "velero-restore";
inline constexpr std::string_view kAgentAccount = "velero-node-agent";

/// metadata with the label component=velero; `ns` empty for cluster-scoped objects.
[[nodiscard]] json::object metadata(std::string_view name, std::string_view ns);
[[nodiscard]] json::object string_object(const StringMap& map);

/// Service accounts, roles and bindings.
[[nodiscard]] std::vector<json::value> rights(const Options& options);
[[nodiscard]] json::object controller_deployment(const Options& options);
[[nodiscard]] json::object agent_daemon_set(const Options& options);

}  // namespace holdfast::install
