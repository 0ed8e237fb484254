#include "velero/volume_info.h"

#include "velero/types/codec.h"

namespace holdfast::velero {

using codec::Is;

template <class V, Is<CsiSnapshotInfo> S>
void fields(V& v, S& s) {
  v.always("snapshotHandle", s.snapshot_handle);
  v.always("size", s.size);
  v.always("driver", s.driver);
  v.always("vscName", s.vsc_name);
  v("operationID", s.operation_id);
  v("ReadyToUse", s.ready_to_use);
}
template <class V, Is<SnapshotDataMovementInfo> S>
void fields(V& v, S& s) {
  v("dataMover", s.data_mover);
  v("uploaderType", s.uploader_type);
  v("retainedSnapshot", s.retained_snapshot);
  v("snapshotHandle", s.snapshot_handle);
  v("operationID", s.operation_id);
  v("size", s.size);
  v("incrementalSize", s.incremental_size);
  v("Phase", s.phase);
}
template <class V, Is<NativeSnapshotInfo> S>
void fields(V& v, S& s) {
  v("snapshotHandle", s.snapshot_handle);
  v("volumeType", s.volume_type);
  v("volumeAZ", s.volume_az);
  v("iops", s.iops);
  v("Phase", s.phase);
}
template <class V, Is<PodVolumeInfo> S>
void fields(V& v, S& s) {
  v("snapshotHandle", s.snapshot_handle);
  v("size", s.size);
  v("incrementalSize", s.incremental_size);
  v("uploaderType", s.uploader_type);
  v("volumeName", s.volume_name);
  v("podName", s.pod_name);
  v("podNamespace", s.pod_namespace);
  v("nodeName", s.node_name);
  v("Phase", s.phase);
}
template <class V, Is<PvInfo> S>
void fields(V& v, S& s) {
  v.always("reclaimPolicy", s.reclaim_policy);
  if constexpr (std::same_as<V, codec::Writer>) {
    if (s.labels.empty() && !s.extra.contains("labels"))
      v.always("labels", json::value());  // Go writes a nil map as null
    else
      v.always("labels", s.labels);
  } else {
    v("labels", s.labels);
  }
}
template <class V, Is<BackupVolumeInfo> S>
void fields(V& v, S& s) {
  v("pvcName", s.pvc_name);
  v("pvcNamespace", s.pvc_namespace);
  v("pvName", s.pv_name);
  v("backupMethod", s.backup_method);
  v.always("snapshotDataMoved", s.snapshot_data_moved);
  v.always("preserveLocalSnapshot", s.preserve_local_snapshot);
  v.always("skipped", s.skipped);
  v("skippedReason", s.skipped_reason);
  v("startTimestamp", s.start_timestamp);
  v("completionTimestamp", s.completion_timestamp);
  v("result", s.result);
  v("csiSnapshotInfo", s.csi_snapshot_info);
  v("snapshotDataMovementInfo", s.snapshot_data_movement_info);
  v("nativeSnapshotInfo", s.native_snapshot_info);
  v("pvbInfo", s.pvb_info);
  v("pvInfo", s.pv_info);
}
template <class V, Is<RestoreVolumeInfo> S>
void fields(V& v, S& s) {
  v("pvcName", s.pvc_name);
  v("pvcNamespace", s.pvc_namespace);
  v("pvName", s.pv_name);
  v("restoreMethod", s.restore_method);
  v.always("snapshotDataMoved", s.snapshot_data_moved);
  v("csiSnapshotInfo", s.csi_snapshot_info);
  v("snapshotDataMovementInfo", s.snapshot_data_movement_info);
  v("nativeSnapshotInfo", s.native_snapshot_info);
  v("pvrInfo", s.pvr_info);
}

Result<std::vector<BackupVolumeInfo>> decode_backup_volume_infos(std::string_view text) {
  return codec::decode_list<BackupVolumeInfo>(text);
}
Result<std::vector<RestoreVolumeInfo>> decode_restore_volume_infos(std::string_view text) {
  return codec::decode_list<RestoreVolumeInfo>(text);
}
std::string encode_volume_infos(const std::vector<BackupVolumeInfo>& infos) {
  return codec::encode_list(infos);
}
std::string encode_volume_infos(const std::vector<RestoreVolumeInfo>& infos) {
  return codec::encode_list(infos);
}

}  // namespace holdfast::velero
