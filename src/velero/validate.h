// What is wrong with a Backup, Restore or BackupStorageLocation, in Velero's words.
//
// Pure: what has to be looked up in the cluster is looked up by the caller and handed in. The texts are those of Velero
// 1.14 (fixtures extra/validation); 1.18 differs in three: the policy's text, the init hook's (it names the hook), and
// a missing namespace, which 1.18 backs up around with an error and 1.14, like us, refuses. An empty list means valid.
#pragma once

#include "velero/filter.h"
#include "velero/types.h"

namespace holdfast::velero {

struct BackupLookups {
  /// The location the Backup names, or the default one; none where it does not exist.
  const BackupStorageLocation* location = nullptr;
  /// Names of all namespaces.
  StringList namespaces;
  /// Names of the VolumeSnapshotLocations that exist.
  StringList volume_snapshot_locations;
  /// Why the ConfigMap of spec.resourcePolicy cannot be used; empty where it can or none is named.
  std::string resource_policy_fault;
};
/// spec.storageLocation has its default filled in already (empty: there is no default location).
[[nodiscard]] StringList validate(const Backup& backup, const BackupLookups& lookups);

struct RestoreLookups {
  /// Whether the Backup of spec.backupName exists (also as a file that sync has not brought yet).
  bool backup_exists = false;
  /// With spec.scheduleName: Backups of the schedule, and how many of them are Completed.
  size_t schedule_backups = 0;
  size_t schedule_backups_completed = 0;
  /// The Backup's location; none where it does not exist. Not looked at before a Backup is found.
  const BackupStorageLocation* location = nullptr;
  /// Why the ConfigMap of spec.resourceModifier cannot be used; empty where it can or none is named.
  std::string resource_modifier_fault;
};
[[nodiscard]] StringList validate(const Restore& restore, const RestoreLookups& lookups);

/// spec alone: provider, bucket, prefix, access mode, periods. Whether the bucket answers is for the caller.
[[nodiscard]] StringList validate(const BackupStorageLocation& location);

/// spec.schedule and the template's lists; the Backup itself is validated when it is made.
[[nodiscard]] StringList validate(const Schedule& schedule);

/// status.message of a location that cannot be used: `BackupStorageLocation "x" is unavailable: WHY`.
[[nodiscard]] std::string unavailable_message(std::string_view location, std::string_view why);
/// How Velero says that a ConfigMap of a policy or modifier is not there.
[[nodiscard]] std::string missing_policy_text(std::string_view namespace_, std::string_view config_map);
[[nodiscard]] std::string missing_modifier_text(std::string_view namespace_, std::string_view config_map);

}  // namespace holdfast::velero
