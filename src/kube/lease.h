// Leader election on a coordination.k8s.io/v1 Lease: at most one of several processes leads at a time.
//
// Times are durations on CLOCK_BOOTTIME, so wrong wall clocks do no harm: a holder counts from before its last
// successful renewal was sent, a candidate from when it last saw the Lease change. A holder that cannot renew stops
// leading after `renew_deadline`, which is shorter than `lease_duration`, after which others take the Lease over.
// An answer that got lost costs nothing: the Lease names its holder, and the identity is this process's alone.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "kube/api.h"

namespace holdfast::kube {

struct LeaseOptions {
  std::string ns;
  std::string name;
  std::string identity;  ///< unique among all processes that ever compete; see unique_identity()
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
  Clock* clock = &system_clock();
  log::Logger log = {};
};

class LeaderElection {
 public:
  LeaderElection(Api& api, LeaseOptions options);

  /// Waits for the Lease, then runs `lead` on a thread of its own until it returns, its token having been asked when
  /// the Lease is lost or `stop` asks; renews meanwhile, and gives the Lease back after `lead` has returned. Its
  /// result is run's; conflict where the Lease was lost; cancelled where `stop` asked before it was won.
  /// One call at a time.
  [[nodiscard]] Status run(std::stop_token stop, const std::function<Status(std::stop_token leading)>& lead);

  /// Who holds the Lease, as last seen; empty where nobody does.
  [[nodiscard]] std::string holder() const;

 private:
  Status acquire(const std::stop_token& stop);
  Result<bool> try_once(const std::stop_token& stop);
  Result<bool> take(json::value lease, BootTime sent, const std::stop_token& stop);
  Status keep(std::stop_source& leading);
  void watch_deadline(std::stop_source& leading, const std::stop_token& over);
  void release();
  void observe(const json::value& lease);

  Api& api_;
  const LeaseOptions options_;
  mutable std::mutex mutex_;
  std::string holder_;
  BootTime renewed_;  // sending time of the last successful renewal
  bool lost_ = false;
  // What was last seen of the Lease, and when it was first seen so.
  std::string seen_version_;
  BootTime seen_at_;
};

/// HOST_RANDOM: what a LeaseOptions::identity should be.
[[nodiscard]] std::string unique_identity(const std::string& host);

}  // namespace holdfast::kube
