// B-itemoperations.json.gz and restore-R-itemoperations.json.gz: the asynchronous operations of item actions. Pure.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

/// An object by group and plural resource; Velero writes these members with capitals.
struct ResourceIdentifier {
  std::string group;
  std::string resource;
  std::string namespace_;
  std::string name;
  json::object extra;
};

struct OperationStatus {
  std::string phase;  ///< New, InProgress, Completed, Failed
  std::string error;
  int64_t completed = 0;
  int64_t total = 0;
  std::string operation_units;
  std::string description;
  std::optional<Time> created;
  std::optional<Time> started;
  std::optional<Time> updated;
  json::object extra;
};

struct BackupOperationSpec {
  std::string backup_name;
  std::string backup_uid;
  std::string backup_item_action;
  ResourceIdentifier resource;
  std::string operation_id;
  std::vector<ResourceIdentifier> post_operation_items;
  json::object extra;
};
struct BackupOperation {
  BackupOperationSpec spec;
  OperationStatus status;
  json::object extra;
};

struct RestoreOperationSpec {
  std::string restore_name;
  std::string restore_uid;
  std::string restore_item_action;
  ResourceIdentifier resource;
  std::string operation_id;
  json::object extra;
};
struct RestoreOperation {
  RestoreOperationSpec spec;
  OperationStatus status;
  json::object extra;
};

/// The plain JSON of the file. invalid names element and member.
[[nodiscard]] Result<std::vector<BackupOperation>> decode_backup_operations(std::string_view text);
[[nodiscard]] Result<std::vector<RestoreOperation>> decode_restore_operations(std::string_view text);
/// One line and its newline; an empty list is "[]".
[[nodiscard]] std::string encode_operations(const std::vector<BackupOperation>& operations);
[[nodiscard]] std::string encode_operations(const std::vector<RestoreOperation>& operations);

}  // namespace holdfast::velero
