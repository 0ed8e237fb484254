// The velero.io resource types and their JSON form.
//
// decode checks the type of every member it knows and names the first wrong one by its path; members it does not know
// are kept in `extra` and written back by encode. A missing or null member is the zero value. encode writes members in
// Velero's order (kind before apiVersion); json::pretty of it is the text of velero-backup.json. Pure; any thread.
#pragma once

#include "velero/types/backup.h"
#include "velero/types/meta.h"
#include "velero/types/requests.h"
#include "velero/types/restore.h"
#include "velero/types/schedule.h"
#include "velero/types/volume.h"

namespace holdfast::velero {

/// Reads a resource (or a part listed below). invalid: "spec.ttl: ..." names the member; also when `kind` is of
/// another type. Defined for: Backup, Restore, Schedule, BackupStorageLocation, PodVolumeBackup, PodVolumeRestore,
/// BackupRepository, DeleteBackupRequest, DownloadRequest, ServerStatusRequest, BackupSpec, RestoreSpec, ObjectMeta,
/// LabelSelector.
template <typename T>
[[nodiscard]] Result<T> decode(const json::value& v);

[[nodiscard]] json::object encode(const Backup& v);
[[nodiscard]] json::object encode(const Restore& v);
[[nodiscard]] json::object encode(const Schedule& v);
[[nodiscard]] json::object encode(const BackupStorageLocation& v);
[[nodiscard]] json::object encode(const PodVolumeBackup& v);
[[nodiscard]] json::object encode(const PodVolumeRestore& v);
[[nodiscard]] json::object encode(const BackupRepository& v);
[[nodiscard]] json::object encode(const DeleteBackupRequest& v);
[[nodiscard]] json::object encode(const DownloadRequest& v);
[[nodiscard]] json::object encode(const ServerStatusRequest& v);
[[nodiscard]] json::object encode(const BackupSpec& v);
[[nodiscard]] json::object encode(const RestoreSpec& v);
[[nodiscard]] json::object encode(const ObjectMeta& v);
[[nodiscard]] json::object encode(const LabelSelector& v);

}  // namespace holdfast::velero
