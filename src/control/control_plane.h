// The controllers of one installation, run by whoever holds its lease.
//
// Two replicas run at once: one leads, one waits. Everything is level-triggered: a new leader reads the cluster and
// goes on. It refuses to start, and to lead, beside a running Velero server in the same namespace, which would do the
// same work.
#pragma once

#include <memory>

#include "control/context.h"

namespace holdfast::control {

struct LeadershipOptions {
  std::string identity;  ///< unique per process: the pod's name, or kube::unique_identity
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
  /// Told true when this process stands by or its controllers have read the cluster, false while they begin. Called
  /// from the thread that runs the control plane.
  std::function<void(bool)> on_ready = [](bool) {};
};

/// Waits for the lease, then runs the controllers until `stop` asks or the lease is lost (conflict). Blocks.
/// denied: a Velero server of somebody else runs in the namespace. `restore_api`: the API as the account of restores;
/// null: restores act as the controllers do.
[[nodiscard]] Status run_control_plane(kube::Api& api, Clock& clock, log::Logger log, metrics::Registry& metrics,
                                       const ControlOptions& options, const LeadershipOptions& leadership,
                                       std::stop_token stop, kube::Api* restore_api = nullptr);

}  // namespace holdfast::control
