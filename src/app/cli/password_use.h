// Whether the repository password that an installation holds is in use: what stands against replacing it, since
// whatever was written with it could not be read here afterwards.
#pragma once

#include <string>
#include <vector>

#include "app/cli/cluster.h"
#include "crypto/secret.h"

namespace holdfast::app {

/// One sentence for each thing that uses the password, or of which that cannot be told; empty: nothing does.
/// Looked at: BackupRepository objects, snapshots that PodVolumeBackups name, and the repositories in all backup
/// locations, which are opened. An error only where the cluster could not be asked.
[[nodiscard]] Result<std::vector<std::string>> uses_of_password(const Cluster& cluster, const crypto::Secret& password);

}  // namespace holdfast::app
