// What lies in a backup location becomes objects of the cluster, and what is gone there goes here.
//
// Every backupSyncPeriod, and at once when asked: each unknown directory of backups/ with whole metadata becomes a
// Backup and its PodVolumeBackups; Completed and PartiallyFailed Backups of the location whose directory is gone are
// deleted. This is how a cluster that has never seen the backups learns of them (velero.md 1.15).
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

/// The names of the directories below backups/; not all of them need hold a backup.
[[nodiscard]] Result<std::vector<std::string>> backups_in(objstore::Store& store, std::stop_token stop);

class BackupSync {
 public:
  explicit BackupSync(const Context& context) : context_(context) {}
  /// `name`: the location's.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);
  /// One pass over a location, now. Returns how many Backups it made. `unread`: where the failures of single backups
  /// go, which are logged and end nothing.
  [[nodiscard]] Result<int> sync(const location::Location& location, std::stop_token stop,
                                 std::vector<Error>* unread = nullptr);

 private:
  Result<bool> bring(const location::Location& location, const std::string& backup, std::stop_token stop);
  Status bring_pod_volume_backups(const location::Location& location, const velero::Backup& backup,
                                  std::stop_token stop);
  Status complete(const location::Location& location, const velero::Backup& backup, std::stop_token stop);
  Status drop_missing(const location::Location& location, const std::vector<std::string>& present,
                      std::stop_token stop);
  struct Pass {
    std::string spec;
    BootTime at;
  };
  const Context& context_;
  std::mutex mutex_;
  std::map<std::string, Pass> passes_;  ///< by location: the last one
};

}  // namespace holdfast::control
