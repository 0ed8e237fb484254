// PodVolumeBackup, PodVolumeRestore, BackupRepository (velero.io/v1).
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

struct PodVolumeBackupSpec {
  std::string node;
  ObjectReference pod;
  std::string volume;
  std::string backup_storage_location;
  std::string repo_identifier;
  std::string uploader_type;  ///< kopia, restic; empty = restic
  StringMap tags;
  StringMap uploader_settings;
  bool cancel = false;
  json::object extra;
};

struct PodVolumeBackupStatus {
  std::string phase;
  std::string path;
  std::string snapshot_id;
  std::string message;
  std::optional<Time> start_timestamp;
  std::optional<Time> completion_timestamp;
  DataProgress progress;
  int64_t incremental_bytes = 0;
  std::optional<Time> accepted_timestamp;
  json::object extra;
};

struct PodVolumeBackup {
  static constexpr std::string_view kKind = "PodVolumeBackup";
  std::string kind{kKind};  ///< empty in B-podvolumebackups.json.gz, whose elements carry no kind
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  PodVolumeBackupSpec spec;
  PodVolumeBackupStatus status;
  json::object extra;
};

struct PodVolumeRestoreSpec {
  ObjectReference pod;
  std::string volume;
  std::string backup_storage_location;
  std::string repo_identifier;
  std::string uploader_type;
  std::string snapshot_id;
  std::string source_namespace;
  StringMap uploader_settings;
  bool cancel = false;
  int64_t snapshot_size = 0;
  json::object extra;
};

struct PodVolumeRestoreStatus {
  std::string phase;
  std::string message;
  std::optional<Time> start_timestamp;
  std::optional<Time> completion_timestamp;
  DataProgress progress;
  std::optional<Time> accepted_timestamp;
  std::string node;
  json::object extra;
};

struct PodVolumeRestore {
  static constexpr std::string_view kKind = "PodVolumeRestore";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  PodVolumeRestoreSpec spec;
  PodVolumeRestoreStatus status;
  json::object extra;
};

struct BackupRepositorySpec {
  std::string volume_namespace;
  std::string backup_storage_location;
  std::string repository_type;  ///< kopia, restic; empty = restic
  std::string restic_identifier;
  std::optional<Duration> maintenance_frequency;
  StringMap repository_config;
  json::object extra;
};

struct RepositoryMaintenance {
  std::string result;
  std::optional<Time> start_timestamp;
  std::optional<Time> complete_timestamp;
  std::string message;
  json::object extra;
};

struct BackupRepositoryStatus {
  std::string phase;  ///< New, Ready, NotReady
  std::string message;
  std::optional<Time> last_maintenance_time;
  std::vector<RepositoryMaintenance> recent_maintenance;
  json::object extra;
};

struct BackupRepository {
  static constexpr std::string_view kKind = "BackupRepository";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  BackupRepositorySpec spec;
  BackupRepositoryStatus status;
  json::object extra;
};

}  // namespace holdfast::velero
