#include "velero/item_operations.h"

#include "velero/types/codec.h"

namespace holdfast::velero {

using codec::Is;

template <class V, Is<ResourceIdentifier> S>
void fields(V& v, S& s) {
  v.always("Group", s.group);
  v.always("Resource", s.resource);
  v.always("Namespace", s.namespace_);
  v.always("Name", s.name);
}
template <class V, Is<OperationStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("error", s.error);
  v("nCompleted", s.completed);
  v("nTotal", s.total);
  v("operationUnits", s.operation_units);
  v("description", s.description);
  v("created", s.created);
  v("started", s.started);
  v("updated", s.updated);
}
template <class V, Is<BackupOperationSpec> S>
void fields(V& v, S& s) {
  v("backupName", s.backup_name);
  v("backupUID", s.backup_uid);
  v("backupItemAction", s.backup_item_action);
  v("resourceIdentifier", s.resource);
  v("operationID", s.operation_id);
  v("postOperationItems", s.post_operation_items);
}
template <class V, Is<BackupOperation> S>
void fields(V& v, S& s) {
  v("spec", s.spec);
  v("status", s.status);
}
template <class V, Is<RestoreOperationSpec> S>
void fields(V& v, S& s) {
  v("restoreName", s.restore_name);
  v("restoreUID", s.restore_uid);
  v("restoreItemAction", s.restore_item_action);
  v("resourceIdentifier", s.resource);
  v("operationID", s.operation_id);
}
template <class V, Is<RestoreOperation> S>
void fields(V& v, S& s) {
  v("spec", s.spec);
  v("status", s.status);
}

Result<std::vector<BackupOperation>> decode_backup_operations(std::string_view text) {
  return codec::decode_list<BackupOperation>(text);
}
Result<std::vector<RestoreOperation>> decode_restore_operations(std::string_view text) {
  return codec::decode_list<RestoreOperation>(text);
}
std::string encode_operations(const std::vector<BackupOperation>& operations) {
  return codec::encode_list(operations);
}
std::string encode_operations(const std::vector<RestoreOperation>& operations) {
  return codec::encode_list(operations);
}

}  // namespace holdfast::velero
