// B-volumeinfo.json.gz and R-volumeinfo.json.gz: what became of each volume of a backup or restore.
//
// Elements keep members they do not know. Velero 1.14 writes no result and no pvbInfo.Phase, 1.18 does; both pass
// through unchanged. Pure.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

struct CsiSnapshotInfo {
  std::string snapshot_handle;
  int64_t size = 0;
  std::string driver;
  std::string vsc_name;
  std::string operation_id;
  std::optional<bool> ready_to_use;
  json::object extra;
};

struct SnapshotDataMovementInfo {
  std::string data_mover;
  std::string uploader_type;
  std::string retained_snapshot;
  std::string snapshot_handle;
  std::string operation_id;
  int64_t size = 0;
  int64_t incremental_size = 0;
  std::string phase;
  json::object extra;
};

struct NativeSnapshotInfo {
  std::string snapshot_handle;
  std::string volume_type;
  std::string volume_az;
  std::string iops;
  std::string phase;
  json::object extra;
};

/// Of a PodVolumeBackup or PodVolumeRestore.
struct PodVolumeInfo {
  std::string snapshot_handle;
  int64_t size = 0;
  int64_t incremental_size = 0;
  std::string uploader_type;
  std::string volume_name;
  std::string pod_name;
  std::string pod_namespace;
  std::string node_name;
  std::string phase;
  json::object extra;
};

struct PvInfo {
  std::string reclaim_policy;
  StringMap labels;
  json::object extra;
};

struct BackupVolumeInfo {
  std::string pvc_name;
  std::string pvc_namespace;
  std::string pv_name;
  std::string backup_method;  ///< NativeSnapshot, PodVolumeBackup, CSISnapshot; empty for skipped volumes
  bool snapshot_data_moved = false;
  bool preserve_local_snapshot = false;
  bool skipped = false;
  std::string skipped_reason;
  std::optional<Time> start_timestamp;
  std::optional<Time> completion_timestamp;
  std::string result;  ///< succeeded, failed; empty in files of 1.14
  std::optional<CsiSnapshotInfo> csi_snapshot_info;
  std::optional<SnapshotDataMovementInfo> snapshot_data_movement_info;
  std::optional<NativeSnapshotInfo> native_snapshot_info;
  std::optional<PodVolumeInfo> pvb_info;
  std::optional<PvInfo> pv_info;
  json::object extra;
};

struct RestoreVolumeInfo {
  std::string pvc_name;
  std::string pvc_namespace;
  std::string pv_name;
  std::string restore_method;  ///< NativeSnapshot, PodVolumeRestore, CSISnapshot
  bool snapshot_data_moved = false;
  std::optional<CsiSnapshotInfo> csi_snapshot_info;
  std::optional<SnapshotDataMovementInfo> snapshot_data_movement_info;
  std::optional<NativeSnapshotInfo> native_snapshot_info;
  std::optional<PodVolumeInfo> pvr_info;
  json::object extra;
};

/// The plain JSON of the file; `null` is an empty list. invalid names element and member.
[[nodiscard]] Result<std::vector<BackupVolumeInfo>> decode_backup_volume_infos(std::string_view text);
[[nodiscard]] Result<std::vector<RestoreVolumeInfo>> decode_restore_volume_infos(std::string_view text);
/// One line and its newline, as Velero's.
[[nodiscard]] std::string encode_volume_infos(const std::vector<BackupVolumeInfo>& infos);
[[nodiscard]] std::string encode_volume_infos(const std::vector<RestoreVolumeInfo>& infos);

}  // namespace holdfast::velero
