// Schedule and BackupStorageLocation (velero.io/v1).
#pragma once

#include "velero/types/backup.h"

namespace holdfast::velero {

struct ScheduleSpec {
  BackupSpec template_;
  std::string schedule;
  std::optional<bool> use_owner_references_in_backup;
  bool paused = false;
  std::optional<bool> skip_immediately;
  json::object extra;
};

struct ScheduleStatus {
  std::string phase;
  std::optional<Time> last_backup;
  std::optional<Time> last_skipped;
  StringList validation_errors;
  json::object extra;
};

struct Schedule {
  static constexpr std::string_view kKind = "Schedule";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  ScheduleSpec spec;
  ScheduleStatus status;
  json::object extra;
};

struct ObjectStorageLocation {
  std::string bucket;
  std::string prefix;
  std::string ca_cert;  ///< base64, as in the resource
  json::object extra;
};

struct BackupStorageLocationSpec {
  std::string provider;
  StringMap config;
  std::optional<SecretKeySelector> credential;
  std::optional<ObjectStorageLocation> object_storage;
  bool is_default = false;
  std::string access_mode;  ///< ReadOnly, ReadWrite; empty = ReadWrite
  std::optional<Duration> backup_sync_period;
  std::optional<Duration> validation_frequency;
  json::object extra;
};

struct BackupStorageLocationStatus {
  std::string phase;
  std::optional<Time> last_synced_time;
  std::optional<Time> last_validation_time;
  std::string message;
  json::object extra;
};

struct BackupStorageLocation {
  static constexpr std::string_view kKind = "BackupStorageLocation";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  BackupStorageLocationSpec spec;
  BackupStorageLocationStatus status;
  json::object extra;

  [[nodiscard]] bool read_only() const { return spec.access_mode == "ReadOnly"; }
};

}  // namespace holdfast::velero
