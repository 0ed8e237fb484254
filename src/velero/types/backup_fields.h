// Inside velero/ only: the field lists of types/backup.h.
#pragma once

#include "velero/types/backup.h"
#include "velero/types/meta_fields.h"

namespace holdfast::velero {

template <class V, Is<ExecHook> S>
void fields(V& v, S& s) {
  v("container", s.container);
  v.always("command", s.command);
  v("onError", s.on_error);
  v("timeout", s.timeout);
}
template <class V, Is<BackupResourceHook> S>
void fields(V& v, S& s) {
  v("exec", s.exec);
}
template <class V, Is<BackupResourceHookSpec> S>
void fields(V& v, S& s) {
  v.always("name", s.name);
  v("includedNamespaces", s.included_namespaces);
  v("excludedNamespaces", s.excluded_namespaces);
  v("includedResources", s.included_resources);
  v("excludedResources", s.excluded_resources);
  v("labelSelector", s.label_selector);
  v("pre", s.pre);
  v("post", s.post);
}
template <class V, Is<BackupHooks> S>
void fields(V& v, S& s) {
  v("resources", s.resources);
}
template <class V, Is<TemplateMetadata> S>
void fields(V& v, S& s) {
  v("labels", s.labels);
}
template <class V, Is<UploaderConfigForBackup> S>
void fields(V& v, S& s) {
  v("parallelFilesUpload", s.parallel_files_upload);
}
template <class V, Is<BackupSpec> S>
void fields(V& v, S& s) {
  v("metadata", s.metadata);
  v("includedNamespaces", s.included_namespaces);
  v("excludedNamespaces", s.excluded_namespaces);
  v("includedResources", s.included_resources);
  v("excludedResources", s.excluded_resources);
  v("includedClusterScopedResources", s.included_cluster_scoped_resources);
  v("excludedClusterScopedResources", s.excluded_cluster_scoped_resources);
  v("includedNamespaceScopedResources", s.included_namespace_scoped_resources);
  v("excludedNamespaceScopedResources", s.excluded_namespace_scoped_resources);
  v("labelSelector", s.label_selector);
  v("orLabelSelectors", s.or_label_selectors);
  v("snapshotVolumes", s.snapshot_volumes);
  v("ttl", s.ttl);
  v("includeClusterResources", s.include_cluster_resources);
  v("volumeGroupSnapshotLabelKey", s.volume_group_snapshot_label_key);
  v("hooks", s.hooks);
  v("storageLocation", s.storage_location);
  v("volumeSnapshotLocations", s.volume_snapshot_locations);
  v("defaultVolumesToRestic", s.default_volumes_to_restic);
  v("defaultVolumesToFsBackup", s.default_volumes_to_fs_backup);
  v("orderedResources", s.ordered_resources);
  v("csiSnapshotTimeout", s.csi_snapshot_timeout);
  v("itemOperationTimeout", s.item_operation_timeout);
  v("resourcePolicy", s.resource_policy);
  v("snapshotMoveData", s.snapshot_move_data);
  v("datamover", s.data_mover);
  v("uploaderConfig", s.uploader_config);
}
template <class V, Is<BackupProgress> S>
void fields(V& v, S& s) {
  v("totalItems", s.total_items);
  v("itemsBackedUp", s.items_backed_up);
}
template <class V, Is<BackupStatus> S>
void fields(V& v, S& s) {
  v("version", s.version);
  v("formatVersion", s.format_version);
  v("expiration", s.expiration);
  v("phase", s.phase);
  v("queuePosition", s.queue_position);
  v("validationErrors", s.validation_errors);
  v("startTimestamp", s.start_timestamp);
  v("completionTimestamp", s.completion_timestamp);
  v("volumeSnapshotsAttempted", s.volume_snapshots_attempted);
  v("volumeSnapshotsCompleted", s.volume_snapshots_completed);
  v("failureReason", s.failure_reason);
  v("warnings", s.warnings);
  v("errors", s.errors);
  v("progress", s.progress);
  v("csiVolumeSnapshotsAttempted", s.csi_volume_snapshots_attempted);
  v("csiVolumeSnapshotsCompleted", s.csi_volume_snapshots_completed);
  v("backupItemOperationsAttempted", s.backup_item_operations_attempted);
  v("backupItemOperationsCompleted", s.backup_item_operations_completed);
  v("backupItemOperationsFailed", s.backup_item_operations_failed);
  v("hookStatus", s.hook_status);
}
/// The five members that every resource has; those without a spec or status struct do not call it.
template <class V, class S>
void resource_fields(V& v, S& s) {
  v("kind", s.kind);
  v("apiVersion", s.api_version);
  v("metadata", s.metadata);
  v("spec", s.spec);
  v("status", s.status);
}
template <class V, Is<Backup> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}
template <class V, Is<DeleteBackupRequestSpec> S>
void fields(V& v, S& s) {
  v.always("backupName", s.backup_name);
}
template <class V, Is<DeleteBackupRequestStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("errors", s.errors);
}
template <class V, Is<DeleteBackupRequest> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}

}  // namespace holdfast::velero
