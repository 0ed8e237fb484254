// The end of backups: by request, and by age.
//
// A DeleteBackupRequest removes what the backup owns: its snapshots are forgotten (never pruned here), then its files,
// metadata first, so that a half-deleted backup is no backup; then its Restores and the object. A read-only location
// refuses. Expired backups get a DeleteBackupRequest; the label velero.io/gc-failure tells why one could not.
#pragma once

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class Deletion {
 public:
  explicit Deletion(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  Status remove_backup(const velero::Backup& backup, std::stop_token stop);
  Status forget_snapshots(const location::Location& location, const velero::Backup& backup, std::stop_token stop);
  Status remove_files(objstore::Store& store, const std::string& directory, std::stop_token stop);
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
