// The node agent: works on the PodVolumeBackups and PodVolumeRestores of its node, several at once.
//
// A PodVolumeBackup is ours when spec.node names this node; a PodVolumeRestore when its pod runs here. Two informers
// feed one queue of names; a bounded number of workers takes from it, and all of them share one ceiling of memory.
// After a restart, what was InProgress has nobody who works on it: a PodVolumeBackup ends Failed, because the freeze it
// was taken under may be over and a copy made now would be called consistent without being so; the next backup makes a
// new one. A PodVolumeRestore begins anew, because its pod still waits and the same files are written. After the node
// has booted, the init containers of restored pods wait again, although their volumes are long back: a third informer,
// of this node's pods, sees them, and the marks are left once more.
//
// Threads: three informers, the queue's timer, the workers, one watcher for each work; all end with run().
#pragma once

#include <memory>

#include "node/work.h"

namespace holdfast::node {

struct AgentOptions {
  WorkOptions work;
  uint64_t memory = uint64_t{1} << 30;  ///< of all works together, without the indexes of repositories
  size_t workers = 4;
  Duration wait_look = std::chrono::milliseconds(250);  ///< how often a pod that does not wait yet is looked at
  Duration sync_limit = std::chrono::minutes(2);        ///< for the first lists
};

/// Runs until `stop`. invalid without a node's name; timeout where the first lists do not come.
[[nodiscard]] Status run_agent(kube::Api& api, Clock& clock, const log::Logger& log, metrics::Registry& metrics,
                               AgentOptions options, std::stop_token stop);

}  // namespace holdfast::node
