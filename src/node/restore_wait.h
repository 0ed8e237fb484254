// What the init container restore-wait does: keeps a restored pod from starting until the node agent has brought back
// all of its volumes (velero.md 3.3), but never for ever and never without a reason.
//
// Every directory below `root` ("/restores") is the mount of one volume. Blocks the calling thread.
#pragma once

#include <set>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/log.h"

namespace holdfast::node {

struct RestoreWait {
  std::string root = "/restores";
  std::string restore_uid;
  std::set<std::string> keep_marks = {};  ///< volumes that other pods wait for too: their marks stay
  std::string refusal = {};               ///< why the pod may not start even when its volumes are back; empty: it may
  Duration limit = std::chrono::hours(4);
  Duration poll = std::chrono::milliseconds(250);
  Clock* clock = &system_clock();
  log::Logger log = {};
};

/// Success when every volume is restored; the marks are removed then, where this process may. Fails at once where the
/// agent gave a volume up (unavailable, with the agent's reason), with timeout after the limit (the volumes that are
/// missing are named), with invalid where there is nothing to wait for, with denied and the reason where the pod is
/// refused (all marks stay then, so that the next try ends at once), with cancelled where `stop` asked.
[[nodiscard]] Status wait_for_volumes(const RestoreWait& wait, std::stop_token stop);

/// Marks every volume that is not restored yet as failed: run in the waiting container by the controller, where no
/// agent can do it. denied where this user may not write there.
[[nodiscard]] Status give_up_volumes(const std::string& root, const std::string& restore_uid,
                                     const std::string& reason);

}  // namespace holdfast::node
