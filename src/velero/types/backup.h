// Backup and DeleteBackupRequest (velero.io/v1). The source of names and order is what Velero 1.14 and 1.18 write.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

struct ExecHook {
  std::string container;
  StringList command;
  std::string on_error;  ///< Continue, Fail; empty = Fail
  std::optional<Duration> timeout;
  json::object extra;
};

struct BackupResourceHook {
  std::optional<ExecHook> exec;
  json::object extra;
};

struct BackupResourceHookSpec {
  std::string name;
  StringList included_namespaces;
  StringList excluded_namespaces;
  StringList included_resources;
  StringList excluded_resources;
  std::optional<LabelSelector> label_selector;
  std::vector<BackupResourceHook> pre;
  std::vector<BackupResourceHook> post;
  json::object extra;
};

struct BackupHooks {
  std::vector<BackupResourceHookSpec> resources;
  json::object extra;
};

/// Labels of the Backups that a Schedule makes.
struct TemplateMetadata {
  StringMap labels;
  json::object extra;
};

struct UploaderConfigForBackup {
  int64_t parallel_files_upload = 0;
  json::object extra;
};

struct BackupSpec {
  TemplateMetadata metadata;
  StringList included_namespaces;
  StringList excluded_namespaces;
  StringList included_resources;
  StringList excluded_resources;
  StringList included_cluster_scoped_resources;
  StringList excluded_cluster_scoped_resources;
  StringList included_namespace_scoped_resources;
  StringList excluded_namespace_scoped_resources;
  std::optional<LabelSelector> label_selector;
  std::vector<LabelSelector> or_label_selectors;
  std::optional<bool> snapshot_volumes;
  std::optional<Duration> ttl;
  std::optional<bool> include_cluster_resources;
  std::string volume_group_snapshot_label_key;
  BackupHooks hooks;
  std::string storage_location;
  StringList volume_snapshot_locations;
  std::optional<bool> default_volumes_to_restic;  ///< deprecated name of the next
  std::optional<bool> default_volumes_to_fs_backup;
  StringMap ordered_resources;
  std::optional<Duration> csi_snapshot_timeout;
  std::optional<Duration> item_operation_timeout;
  std::optional<TypedLocalReference> resource_policy;
  std::optional<bool> snapshot_move_data;
  std::string data_mover;
  std::optional<UploaderConfigForBackup> uploader_config;
  json::object extra;
};

struct BackupProgress {
  int64_t total_items = 0;
  int64_t items_backed_up = 0;
  json::object extra;
};

struct BackupStatus {
  int64_t version = 0;
  std::string format_version;
  std::optional<Time> expiration;
  std::string phase;
  int64_t queue_position = 0;
  StringList validation_errors;
  std::optional<Time> start_timestamp;
  std::optional<Time> completion_timestamp;
  int64_t volume_snapshots_attempted = 0;
  int64_t volume_snapshots_completed = 0;
  std::string failure_reason;
  int64_t warnings = 0;
  int64_t errors = 0;
  std::optional<BackupProgress> progress;
  int64_t csi_volume_snapshots_attempted = 0;
  int64_t csi_volume_snapshots_completed = 0;
  int64_t backup_item_operations_attempted = 0;
  int64_t backup_item_operations_completed = 0;
  int64_t backup_item_operations_failed = 0;
  std::optional<HookStatus> hook_status;
  json::object extra;
};

struct Backup {
  static constexpr std::string_view kKind = "Backup";
  std::string kind{kKind};  ///< empty when the decoded object had none (list elements)
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  BackupSpec spec;
  BackupStatus status;
  json::object extra;
};

struct DeleteBackupRequestSpec {
  std::string backup_name;
  json::object extra;
};
struct DeleteBackupRequestStatus {
  std::string phase;
  StringList errors;
  json::object extra;
};
struct DeleteBackupRequest {
  static constexpr std::string_view kKind = "DeleteBackupRequest";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  DeleteBackupRequestSpec spec;
  DeleteBackupRequestStatus status;
  json::object extra;
};

}  // namespace holdfast::velero
