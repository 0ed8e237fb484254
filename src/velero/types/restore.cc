#include "velero/types/restore.h"

#include "velero/types.h"
#include "velero/types/backup_fields.h"

namespace holdfast::velero {

template <class V, Is<ExecRestoreHook> S>
void fields(V& v, S& s) {
  v("container", s.container);
  v.always("command", s.command);
  v("onError", s.on_error);
  v("execTimeout", s.exec_timeout);
  v("waitTimeout", s.wait_timeout);
  v("waitForReady", s.wait_for_ready);
}
template <class V, Is<InitRestoreHook> S>
void fields(V& v, S& s) {
  v("initContainers", s.init_containers);
  v("timeout", s.timeout);
}
template <class V, Is<RestoreResourceHook> S>
void fields(V& v, S& s) {
  v("exec", s.exec);
  v("init", s.init);
}
template <class V, Is<RestoreResourceHookSpec> S>
void fields(V& v, S& s) {
  v.always("name", s.name);
  v("includedNamespaces", s.included_namespaces);
  v("excludedNamespaces", s.excluded_namespaces);
  v("includedResources", s.included_resources);
  v("excludedResources", s.excluded_resources);
  v("labelSelector", s.label_selector);
  v("postHooks", s.post_hooks);
}
template <class V, Is<RestoreHooks> S>
void fields(V& v, S& s) {
  v("resources", s.resources);
}
template <class V, Is<RestoreStatusSpec> S>
void fields(V& v, S& s) {
  v("includedResources", s.included_resources);
  v("excludedResources", s.excluded_resources);
}
template <class V, Is<UploaderConfigForRestore> S>
void fields(V& v, S& s) {
  v("writeSparseFiles", s.write_sparse_files);
  v("parallelFilesDownload", s.parallel_files_download);
}
template <class V, Is<RestoreSpec> S>
void fields(V& v, S& s) {
  v("backupName", s.backup_name);
  v("scheduleName", s.schedule_name);
  v("includedNamespaces", s.included_namespaces);
  v("excludedNamespaces", s.excluded_namespaces);
  v("includedResources", s.included_resources);
  v("excludedResources", s.excluded_resources);
  v("namespaceMapping", s.namespace_mapping);
  v("labelSelector", s.label_selector);
  v("orLabelSelectors", s.or_label_selectors);
  v("restorePVs", s.restore_pvs);
  v("restoreStatus", s.restore_status);
  v("preserveNodePorts", s.preserve_node_ports);
  v("includeClusterResources", s.include_cluster_resources);
  v("hooks", s.hooks);
  v("existingResourcePolicy", s.existing_resource_policy);
  v("itemOperationTimeout", s.item_operation_timeout);
  v("resourceModifier", s.resource_modifier);
  v("uploaderConfig", s.uploader_config);
  v("resourcePolicy", s.resource_policy);
}
template <class V, Is<RestoreProgress> S>
void fields(V& v, S& s) {
  v("totalItems", s.total_items);
  v("itemsRestored", s.items_restored);
}
template <class V, Is<RestoreStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("validationErrors", s.validation_errors);
  v("warnings", s.warnings);
  v("errors", s.errors);
  v("failureReason", s.failure_reason);
  v("startTimestamp", s.start_timestamp);
  v("completionTimestamp", s.completion_timestamp);
  v("progress", s.progress);
  v("restoreItemOperationsAttempted", s.restore_item_operations_attempted);
  v("restoreItemOperationsCompleted", s.restore_item_operations_completed);
  v("restoreItemOperationsFailed", s.restore_item_operations_failed);
  v("hookStatus", s.hook_status);
}
template <class V, Is<Restore> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}

template <>
Result<Restore> decode<Restore>(const json::value& v) {
  return codec::decode_struct<Restore>(v);
}
template <>
Result<RestoreSpec> decode<RestoreSpec>(const json::value& v) {
  return codec::decode_struct<RestoreSpec>(v);
}
json::object encode(const Restore& v) {
  return codec::write(v).get_object();
}
json::object encode(const RestoreSpec& v) {
  return codec::write(v).get_object();
}

}  // namespace holdfast::velero
