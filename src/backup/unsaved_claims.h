// Which claims of a backup were to be saved and were not. A claim that comes back without its data looks like a new
// one, and the application on it starts as on its first day; so a restore has to know.
#pragma once

#include <map>
#include <set>
#include <string>

#include "backup/item.h"
#include "backup/restore_files.h"

namespace holdfast::backup {

struct ClaimRecord {
  /// Claims ("persistentvolumeclaims", source namespace, name) whose data the backup was to hold and does not, or not
  /// in a form that is read here, with the reason. A claim that nobody asked to save is none of them, as with Velero.
  std::map<ItemKey, std::string> unsaved;
  /// Claims that more than one pod of the backup mounts.
  std::set<ItemKey> shared;
};

/// From the PodVolumeBackups, the volumeinfo file and the pods in the tarball, by the rules that chose their volumes.
/// Objects that cannot be read are left out: they are told of when they are restored.
[[nodiscard]] ClaimRecord record_of_claims(const BackupContents& contents);

}  // namespace holdfast::backup
