// One PodVolumeRestore from New to its end: brings a snapshot's files back into the volume of a pod that waits for them
// in its init container, then leaves the mark that ends the wait (velero.md 3.3).
//
// Only repositories of restic's format are read; another uploader ends Failed, named. A failure of any kind leaves the
// mark of failure, so that the waiting container ends with that reason. A restore may begin anew at any time while the
// container waits: it writes the same files again. No lock is taken or honoured (safety.md 9).
#pragma once

#include "node/work.h"

namespace holdfast::node {

/// What the pod's waiting container does, by the pod's status.
enum class WaitState {
  absent,   ///< the pod has no such container
  not_yet,  ///< it does not run yet, or not any more after a failure
  waiting,  ///< it runs
  over,     ///< it ended well
};
[[nodiscard]] WaitState wait_state(const json::value& pod);
/// The same of a mover, which nobody waits in: it runs, or it does not yet, or it has ended.
[[nodiscard]] WaitState mover_state(const json::value& pod);
/// True where the pod was made for the claim alone: no container waits for marks, and none are left in the volume.
[[nodiscard]] bool by_mover(const velero::PodVolumeRestore& restore);

/// Which run of the waiting container this is: another one after each start. Empty while it does not run.
[[nodiscard]] std::string wait_identity(const json::value& pod);

/// Leaves the mark of completeness again for a container that was started after it had been taken away, as when the
/// node has booted: only for a Completed restore of this very pod, which lies on this node. Does nothing where the
/// container is the one that was told, or the mark is there.
[[nodiscard]] Status mark_again(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                std::stop_token stop);

/// Runs it: the pod must be on this node and its container be waiting. `from`: the phases in which it may be claimed.
/// An Error means that the object could not be claimed or its end not be written.
[[nodiscard]] Status run_pod_volume_restore(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                            const std::vector<std::string>& from, std::stop_token stop);

/// Ends one that cannot be run, with a reason: status, and the mark of failure where the volume can be found.
[[nodiscard]] Status refuse_pod_volume_restore(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                               const Error& reason, std::stop_token stop);

}  // namespace holdfast::node
