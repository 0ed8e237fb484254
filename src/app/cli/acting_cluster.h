// A cluster, as somebody else: by impersonation, with the right to.
#pragma once

#include "app/cli/surroundings.h"

namespace holdfast::app {

/// The cluster of the flags, acting as that user ("system:serviceaccount:NAMESPACE:NAME"). Whether the cluster lets us
/// is told by the first call.
[[nodiscard]] Result<std::shared_ptr<kube::Api>> open_cluster_as(const ClusterFlags& flags, const std::string& user);

}  // namespace holdfast::app
