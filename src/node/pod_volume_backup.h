// One PodVolumeBackup from New to its end: finds the volume's files on this node and saves them into the repository of
// the pod's namespace, as velero.md 3.2 says (host "velero", tags, short snapshot id, path).
//
// An unreadable file fails the volume and no snapshot is made; files that vanished while the volume was read do not. An
// empty volume completes without a snapshot. Right before the snapshot is written the world is looked at again: the
// Backup is still InProgress, the pod still the same, its volume still in place.
#pragma once

#include <vector>

#include "node/work.h"
#include "repo/snapshot.h"

namespace holdfast::node {

/// Runs it. An Error means that the object could not be claimed or its end not be written; everything else is in its
/// status.
[[nodiscard]] Status run_pod_volume_backup(const WorkContext& context, const velero::PodVolumeBackup& backup,
                                           std::stop_token stop);

/// The snapshot to compare with: of the newest Completed PodVolumeBackup of the same claim (by uid, else by namespace
/// and name, as at a new site) in the same location; else the newest snapshot of that volume by its tags. Only one that
/// is still in the repository. `earlier`: any PodVolumeBackups; `snapshots`: oldest first.
[[nodiscard]] std::optional<repo::Snapshot> choose_parent(const velero::PodVolumeBackup& backup,
                                                          const std::vector<velero::PodVolumeBackup>& earlier,
                                                          const std::vector<repo::Snapshot>& snapshots);

}  // namespace holdfast::node
