// Backups: from New to their final phase, one at a time.
//
// A Backup that nobody has begun is validated (FailedValidation with Velero's texts) and run; the leader that finds one
// InProgress when it takes over marks it Failed, "controller lost": only the process that ran it knew how far it was
// (safety.md 12). Where its metadata has reached the location it is a backup, and gets the status it has there.
#pragma once

#include <set>

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

/// How the failureReason of a Backup begins whose controller was lost.
inline constexpr std::string_view kControllerLost = "controller lost";

class BackupController {
 public:
  explicit BackupController(const Context& context) : context_(context) {}
  /// To be called once after winning the lease, before any reconcile.
  [[nodiscard]] Status take_over(std::stop_token stop);
  /// One call at a time.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  Result<bool> prepare(velero::Backup& backup, std::stop_token stop);
  Status run(velero::Backup backup, std::stop_token stop);
  std::optional<velero::Backup> stored(const velero::Backup& backup, std::stop_token stop);
  Status finish(const velero::Backup& backup, std::stop_token stop);
  void count(const velero::Backup& backup);
  const Context& context_;
  std::set<std::string> begun_;  ///< uids of Backups that were set InProgress and have not been run yet
};

}  // namespace holdfast::control
