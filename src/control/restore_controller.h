// Restores: from New to their final phase, one at a time, DeploymentConfigs included.
//
// A Restore whose Backup is not there yet waits, bounded, while its locations are synced at once: nobody has to bring
// Backup and PodVolumeBackup objects over by hand. After the volumes are back, the step that OADP leaves to a script is
// done by backup::run_restore.
//
// A Restore of a schedule takes the newest backup that any location holds: all of them are listed before the choice.
//
// A Restore that is InProgress when a leader begins is gone on with: what exists bears its name, and volumes that are
// being filled are filled further, because its agents and waiting pods never heard of the change.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "backup/run_restore.h"
#include "control/backup_sync.h"
#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class RestoreController {
 public:
  /// `acting`: the API as the account of restores; null: they act as the controllers do.
  RestoreController(const Context& context, BackupSync& sync, kube::Api* acting = nullptr)
      : context_(context), sync_(sync), acting_(acting != nullptr ? *acting : context.api) {}
  [[nodiscard]] Status take_over(std::stop_token stop);
  /// After take_over: the uids of Restores that are gone on with.
  [[nodiscard]] const std::set<std::string>& lost() const { return lost_; }
  /// One call at a time.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  struct Source {
    velero::Backup backup;
    velero::BackupStorageLocation location;
    std::string resource_modifier;  ///< YAML; empty: none
  };
  /// The Backup to restore; nothing yet where it may still be synced.
  Result<std::optional<Source>> find_source(velero::Restore& restore, velero::StringList& faults, std::stop_token stop);
  /// True while the wait for its Backup is not over.
  bool may_still_come(const velero::Restore& restore);
  /// Syncs every location now. `strictly`: a location or backup that cannot be read is an error.
  Status sync_all(bool strictly, std::stop_token stop);
  Result<kube::After> go_on(velero::Restore restore, std::stop_token stop);
  Result<backup::ResumedRestore> what_was_begun(const velero::Restore& restore, std::stop_token stop) const;
  Status run(velero::Restore restore, const Source& source, const backup::ResumedRestore& resumed,
             std::stop_token stop);
  Status finish(const velero::Restore& restore, std::stop_token stop);
  Status end_of(const velero::Restore& restore, std::stop_token stop);

  const Context& context_;
  BackupSync& sync_;
  kube::Api& acting_;
  std::mutex mutex_;
  std::map<std::string, Source> begun_;         ///< by uid: set InProgress and not run yet
  std::set<std::string> lost_;                  ///< uids: InProgress when this leader began
  std::map<std::string, BootTime> first_seen_;  ///< by uid: since when it waits for its Backup
};

}  // namespace holdfast::control
