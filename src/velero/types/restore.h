// Restore (velero.io/v1).
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

struct ExecRestoreHook {
  std::string container;
  StringList command;
  std::string on_error;
  std::optional<Duration> exec_timeout;
  std::optional<Duration> wait_timeout;
  std::optional<bool> wait_for_ready;
  json::object extra;
};

struct InitRestoreHook {
  json::array init_containers;  ///< whole corev1.Containers, untouched
  std::optional<Duration> timeout;
  json::object extra;
};

struct RestoreResourceHook {
  std::optional<ExecRestoreHook> exec;
  std::optional<InitRestoreHook> init;
  json::object extra;
};

struct RestoreResourceHookSpec {
  std::string name;
  StringList included_namespaces;
  StringList excluded_namespaces;
  StringList included_resources;
  StringList excluded_resources;
  std::optional<LabelSelector> label_selector;
  std::vector<RestoreResourceHook> post_hooks;
  json::object extra;
};

struct RestoreHooks {
  std::vector<RestoreResourceHookSpec> resources;
  json::object extra;
};

struct RestoreStatusSpec {
  StringList included_resources;
  StringList excluded_resources;
  json::object extra;
};

struct UploaderConfigForRestore {
  std::optional<bool> write_sparse_files;
  int64_t parallel_files_download = 0;
  json::object extra;
};

struct RestoreSpec {
  std::string backup_name;
  std::string schedule_name;
  StringList included_namespaces;
  StringList excluded_namespaces;
  StringList included_resources;
  StringList excluded_resources;
  StringMap namespace_mapping;
  std::optional<LabelSelector> label_selector;
  std::vector<LabelSelector> or_label_selectors;
  std::optional<bool> restore_pvs;
  std::optional<RestoreStatusSpec> restore_status;
  std::optional<bool> preserve_node_ports;
  std::optional<bool> include_cluster_resources;
  RestoreHooks hooks;
  std::string existing_resource_policy;  ///< none, update; empty = none
  std::optional<Duration> item_operation_timeout;
  std::optional<TypedLocalReference> resource_modifier;
  std::optional<UploaderConfigForRestore> uploader_config;
  std::optional<TypedLocalReference> resource_policy;  ///< 1.18
  json::object extra;
};

struct RestoreProgress {
  int64_t total_items = 0;
  int64_t items_restored = 0;
  json::object extra;
};

struct RestoreStatus {
  std::string phase;
  StringList validation_errors;
  int64_t warnings = 0;
  int64_t errors = 0;
  std::string failure_reason;
  std::optional<Time> start_timestamp;
  std::optional<Time> completion_timestamp;
  std::optional<RestoreProgress> progress;
  int64_t restore_item_operations_attempted = 0;
  int64_t restore_item_operations_completed = 0;
  int64_t restore_item_operations_failed = 0;
  std::optional<HookStatus> hook_status;
  json::object extra;
};

struct Restore {
  static constexpr std::string_view kKind = "Restore";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  RestoreSpec spec;
  RestoreStatus status;
  json::object extra;
};

}  // namespace holdfast::velero
