#include "velero/types/requests.h"

#include "velero/types.h"
#include "velero/types/backup_fields.h"

namespace holdfast::velero {

template <class V, Is<ObjectStorageLocation> S>
void fields(V& v, S& s) {
  v.always("bucket", s.bucket);
  v("prefix", s.prefix);
  v("caCert", s.ca_cert);
}
template <class V, Is<BackupStorageLocationSpec> S>
void fields(V& v, S& s) {
  v.always("provider", s.provider);
  v("config", s.config);
  v("credential", s.credential);
  v("objectStorage", s.object_storage);
  v("default", s.is_default);
  v("accessMode", s.access_mode);
  v("backupSyncPeriod", s.backup_sync_period);
  v("validationFrequency", s.validation_frequency);
}
template <class V, Is<BackupStorageLocationStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("lastSyncedTime", s.last_synced_time);
  v("lastValidationTime", s.last_validation_time);
  v("message", s.message);
}
template <class V, Is<BackupStorageLocation> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}
template <class V, Is<DownloadTarget> S>
void fields(V& v, S& s) {
  v.always("kind", s.kind);
  v.always("name", s.name);
}
template <class V, Is<DownloadRequestSpec> S>
void fields(V& v, S& s) {
  v("target", s.target);
}
template <class V, Is<DownloadRequestStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("downloadURL", s.download_url);
  v("expiration", s.expiration);
}
template <class V, Is<DownloadRequest> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}
template <class V, Is<PluginEntry> S>
void fields(V& v, S& s) {
  v.always("name", s.name);
  v.always("kind", s.kind);
}
template <class V, Is<ServerStatusRequestSpec> S>
void fields(V&, S&) {}
template <class V, Is<ServerStatusRequestStatus> S>
void fields(V& v, S& s) {
  v("phase", s.phase);
  v("processedTimestamp", s.processed_timestamp);
  v("serverVersion", s.server_version);
  v("plugins", s.plugins);
}
template <class V, Is<ServerStatusRequest> S>
void fields(V& v, S& s) {
  resource_fields(v, s);
}

template <>
Result<BackupStorageLocation> decode<BackupStorageLocation>(const json::value& v) {
  return codec::decode_struct<BackupStorageLocation>(v);
}
template <>
Result<DownloadRequest> decode<DownloadRequest>(const json::value& v) {
  return codec::decode_struct<DownloadRequest>(v);
}
template <>
Result<ServerStatusRequest> decode<ServerStatusRequest>(const json::value& v) {
  return codec::decode_struct<ServerStatusRequest>(v);
}
json::object encode(const BackupStorageLocation& v) {
  return codec::write(v).get_object();
}
json::object encode(const DownloadRequest& v) {
  return codec::write(v).get_object();
}
json::object encode(const ServerStatusRequest& v) {
  return codec::write(v).get_object();
}

}  // namespace holdfast::velero
