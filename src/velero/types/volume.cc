#include "velero/types/volume.h"

#include "velero/types.h"
#include "velero/types/backup_fields.h"

namespace holdfast::velero {

template <class V, Is<PodVolumeBackupSpec> S>
void fields(V& v, S& s) {
  v.always("node", s.node);
  v("pod", s.pod);
  v.always("volume", s.volume);
  v.always("backupStorageLocation", s.backup_storage_location);
  v.always("repoIdentifier", s.repo_identifier);
  v("uploaderType", s.uploader_type);
  v("tags", s.tags);
  v("uploaderSettings", s.uploader_settings);
  v("cancel", s.cancel);
}
template <class V, Is<PodVolumeBackupStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("path", s.path);
  v("snapshotID", s.snapshot_id);
  v("message", s.message);
  v("startTimestamp", s.start_timestamp);
  v("completionTimestamp", s.completion_timestamp);
  v("progress", s.progress);
  v("incrementalBytes", s.incremental_bytes);
  v("acceptedTimestamp", s.accepted_timestamp);
}
template <class V, Is<PodVolumeBackup> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}
template <class V, Is<PodVolumeRestoreSpec> S>
void fields(V& v, S& s) {
  v("pod", s.pod);
  v.always("volume", s.volume);
  v.always("backupStorageLocation", s.backup_storage_location);
  v.always("repoIdentifier", s.repo_identifier);
  v("uploaderType", s.uploader_type);
  v.always("snapshotID", s.snapshot_id);
  v.always("sourceNamespace", s.source_namespace);
  v("uploaderSettings", s.uploader_settings);
  v("cancel", s.cancel);
  v("snapshotSize", s.snapshot_size);
}
template <class V, Is<PodVolumeRestoreStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("message", s.message);
  v("startTimestamp", s.start_timestamp);
  v("completionTimestamp", s.completion_timestamp);
  v("progress", s.progress);
  v("acceptedTimestamp", s.accepted_timestamp);
  v("node", s.node);
}
template <class V, Is<PodVolumeRestore> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}
template <class V, Is<BackupRepositorySpec> S>
void fields(V& v, S& s) {
  v.always("volumeNamespace", s.volume_namespace);
  v.always("backupStorageLocation", s.backup_storage_location);
  v("repositoryType", s.repository_type);
  v("resticIdentifier", s.restic_identifier);
  v("maintenanceFrequency", s.maintenance_frequency);
  v("repositoryConfig", s.repository_config);
}
template <class V, Is<RepositoryMaintenance> S>
void fields(V& v, S& s) {
  v("result", s.result);
  v("startTimestamp", s.start_timestamp);
  v("completeTimestamp", s.complete_timestamp);
  v("message", s.message);
}
template <class V, Is<BackupRepositoryStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("message", s.message);
  v("lastMaintenanceTime", s.last_maintenance_time);
  v("recentMaintenance", s.recent_maintenance);
}
template <class V, Is<BackupRepository> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}

template <>
Result<PodVolumeBackup> decode<PodVolumeBackup>(const json::value& v) {
  return codec::decode_struct<PodVolumeBackup>(v);
}
template <>
Result<PodVolumeRestore> decode<PodVolumeRestore>(const json::value& v) {
  return codec::decode_struct<PodVolumeRestore>(v);
}
template <>
Result<BackupRepository> decode<BackupRepository>(const json::value& v) {
  return codec::decode_struct<BackupRepository>(v);
}
json::object encode(const PodVolumeBackup& v) {
  return codec::write(v).get_object();
}
json::object encode(const PodVolumeRestore& v) {
  return codec::write(v).get_object();
}
json::object encode(const BackupRepository& v) {
  return codec::write(v).get_object();
}

}  // namespace holdfast::velero
