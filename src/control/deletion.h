// The end of backups: by request, and by age.
//
// A DeleteBackupRequest removes what the backup owns: first its metadata, so that from then on it is no backup to
// anybody, then its snapshots (forgotten, never pruned here), then its files, its Restores and the object. All that can
// refuse is asked before: the location's mode, the holder (control/holder.h), whose files they are
// (control/stored_backup.h), passwords and locks of the repositories. A backup that a Restore is reading is waited for.
// Expired backups get a DeleteBackupRequest; the label velero.io/gc-failure tells why one could not.
#pragma once

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class Deletion {
 public:
  explicit Deletion(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  class Snapshots;
  /// False: not yet, as a Restore reads the backup or a repository is locked.
  Result<bool> remove_backup(const velero::Backup& backup, std::stop_token stop);
  Result<bool> in_use(const std::string& backup, std::stop_token stop);
  Status remove_restores(const location::Location& location, const velero::Backup& backup, std::stop_token stop);
  const Context& context_;
};

class Expiry {
 public:
  explicit Expiry(const Context& context) : context_(context) {}
  /// `name`: a Backup's.
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  Status mark(const velero::Backup& backup, const char* reason, std::stop_token stop);
  const Context& context_;
};

}  // namespace holdfast::control
