#include "velero/types.h"
#include "velero/types/backup_fields.h"
#include "velero/types/schedule.h"

namespace holdfast::velero {

template <class V, Is<ScheduleSpec> S>
void fields(V& v, S& s) {
  v("template", s.template_);
  v.always("schedule", s.schedule);
  v("useOwnerReferencesInBackup", s.use_owner_references_in_backup);
  v("paused", s.paused);
  v("skipImmediately", s.skip_immediately);
}
template <class V, Is<ScheduleStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("lastBackup", s.last_backup);
  v("lastSkipped", s.last_skipped);
  v("validationErrors", s.validation_errors);
}
template <class V, Is<Schedule> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}

template <>
Result<Backup> decode<Backup>(const json::value& v) {
  return codec::decode_struct<Backup>(v);
}
template <>
Result<DeleteBackupRequest> decode<DeleteBackupRequest>(const json::value& v) {
  return codec::decode_struct<DeleteBackupRequest>(v);
}
template <>
Result<BackupSpec> decode<BackupSpec>(const json::value& v) {
  return codec::decode_struct<BackupSpec>(v);
}
template <>
Result<Schedule> decode<Schedule>(const json::value& v) {
  return codec::decode_struct<Schedule>(v);
}
template <>
Result<ObjectMeta> decode<ObjectMeta>(const json::value& v) {
  return codec::decode_struct<ObjectMeta>(v);
}
template <>
Result<LabelSelector> decode<LabelSelector>(const json::value& v) {
  return codec::decode_struct<LabelSelector>(v);
}

json::object encode(const Backup& v) {
  return codec::write(v).get_object();
}
json::object encode(const DeleteBackupRequest& v) {
  return codec::write(v).get_object();
}
json::object encode(const BackupSpec& v) {
  return codec::write(v).get_object();
}
json::object encode(const Schedule& v) {
  return codec::write(v).get_object();
}
json::object encode(const ObjectMeta& v) {
  return codec::write(v).get_object();
}
json::object encode(const LabelSelector& v) {
  return codec::write(v).get_object();
}

}  // namespace holdfast::velero
