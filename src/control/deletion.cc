#include "control/deletion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "location/volume_repository.h"
#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::control {

Result<kube::After> Deletion::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::DeleteBackupRequest> found = context_.objects.get<velero::DeleteBackupRequest>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::DeleteBackupRequest request = TRY(std::move(found));
  if (request.status.phase == velero::phase::kProcessed) {
    const Time made = request.metadata.creation_timestamp.value_or(context_.clock.now());
    const Duration left = made + std::chrono::hours(24) - context_.clock.now();
    if (left > Duration::zero()) return kube::After::in(left);
    TRY(context_.objects.remove<velero::DeleteBackupRequest>(name, stop));
    return kube::After::done();
  }
  Result<velero::Backup> backup = context_.objects.get<velero::Backup>(request.spec.backup_name, stop);
  Status status;
  const bool begun = request.status.phase == velero::phase::kInProgress;
  if (backup.is(ErrorCode::not_found)) {
    // Where the deletion had begun, the object was the last that had to go.
    if (!begun) status = Error(ErrorCode::not_found, "backup not found");
  } else if (!backup) {
    return backup.error();
  } else if (backup->status.phase == velero::phase::kInProgress) {
    status = Error(ErrorCode::conflict, "backup is still in progress");
  } else {
    if (!begun) {
      request.status.phase = velero::phase::kInProgress;
      TRY(context_.objects.write_status(request, VeleroObjects::Also::nothing, stop));
    }
    status = remove_backup(*backup, stop);
  }
  if (!status && status.error().retryable()) return status.error();
  if (!status) {
    request.status.phase = velero::phase::kProcessed;
    request.status.errors = {status.error().to_string()};
    TRY(context_.objects.write_status(request, VeleroObjects::Also::nothing, stop));
    context_.log.error("backup not deleted", {{"backup", request.spec.backup_name}, {"error", status.error()}});
    return kube::After::in(std::chrono::hours(24));
  }
  // Done: this request goes, and older ones of the same backup that had failed.
  for (const velero::DeleteBackupRequest& other : TRY(context_.objects.list<velero::DeleteBackupRequest>({}, stop))) {
    if (other.spec.backup_name != request.spec.backup_name) continue;
    TRY(context_.objects.remove<velero::DeleteBackupRequest>(other.metadata.name, stop));
  }
  context_.log.info("backup deleted", {{"backup", request.spec.backup_name}});
  return kube::After::done();
}

Status Deletion::remove_backup(const velero::Backup& backup, std::stop_token stop) {
  const location::Location location = TRY(context_.locations.get(backup.spec.storage_location, stop));
  if (location.object.read_only()) {
    return Error(ErrorCode::denied,
                 fmt::format("cannot delete backup because backup storage location {} is currently in read-only mode",
                             location.object.metadata.name));
  }
  if (backup.status.phase != velero::phase::kDeleting) {
    json::object patch;
    json::set(patch, {"status", "phase"}, velero::phase::kDeleting);
    TRY(context_.objects.merge<velero::Backup>(backup.metadata.name, std::move(patch), stop));
  }
  TRY(forget_snapshots(location, backup, stop));
  const velero::Layout layout = TRY(velero::Layout::at(""));
  // Without its metadata it is no backup any more: that goes first, the rest may follow later.
  TRY(location.store->remove(layout.key(velero::BackupFile::metadata, backup.metadata.name), stop));
  TRY(remove_files(*location.store, layout.backup_directory(backup.metadata.name), stop));
  TRY(remove_restores(location, backup, stop));
  return context_.objects.remove<velero::Backup>(backup.metadata.name, stop);
}

Status Deletion::forget_snapshots(const location::Location& location, const velero::Backup& backup,
                                  std::stop_token stop) {
  const std::string label = fmt::format("{}={}", velero::label::kBackupName, velero::label_value(backup.metadata.name));
  std::map<std::string, std::vector<std::string>> by_namespace;
  for (const velero::PodVolumeBackup& pvb : TRY(context_.objects.list<velero::PodVolumeBackup>(label, stop))) {
    const bool ours = pvb.spec.uploader_type.empty() || pvb.spec.uploader_type == "restic";
    if (ours && !pvb.status.snapshot_id.empty())
      by_namespace[pvb.spec.pod.namespace_].push_back(pvb.status.snapshot_id);
  }
  if (by_namespace.empty()) return {};
  const crypto::Secret password =
      TRY(location::repository_password(context_.api, context_.objects.ns(), location::Missing::refuse, stop));
  for (const auto& [ns, ids] : by_namespace) {
    Result<std::unique_ptr<repo::Repository>> repository =
        location::open_volume_repository(location, ns, password, location::Missing::refuse, {}, stop);
    if (repository.is(ErrorCode::not_found)) continue;  // its snapshots went with it
    if (!repository) return repository.error();
    const std::vector<repo::Snapshot> snapshots = TRY((*repository)->snapshots(stop));
    for (const std::string& id : ids) {
      const Result<repo::Snapshot> snapshot = repo::find_snapshot(snapshots, id);
      if (snapshot.is(ErrorCode::not_found)) continue;
      if (!snapshot) return snapshot.error();
      TRY((*repository)->remove_snapshot(snapshot->id, stop));
    }
  }
  return {};
}

Status Deletion::remove_files(objstore::Store& store, const std::string& directory, std::stop_token stop) {
  std::vector<objstore::ObjectMeta> objects = TRY(objstore::list_all(store, directory, stop));
  for (auto object = objects.rbegin(); object != objects.rend(); ++object) TRY(store.remove(object->key, stop));
  return {};
}

Status Deletion::remove_restores(const location::Location& location, const velero::Backup& backup,
                                 std::stop_token stop) {
  const velero::Layout layout = TRY(velero::Layout::at(""));
  for (const velero::Restore& restore : TRY(context_.objects.list<velero::Restore>({}, stop))) {
    if (restore.spec.backup_name != backup.metadata.name) continue;
    TRY(remove_files(*location.store, layout.restore_directory(restore.metadata.name), stop));
    json::object patch;
    std::vector<std::string> finalizers = restore.metadata.finalizers;
    std::erase(finalizers, std::string(velero::finalizer::kRestoreExternalResources));
    json::set(patch, {"metadata", "finalizers"}, json::from_strings(finalizers));
    TRY(context_.objects.merge<velero::Restore>(restore.metadata.name, std::move(patch), stop));
    TRY(context_.objects.remove<velero::Restore>(restore.metadata.name, stop));
  }
  return {};
}

Result<kube::After> Expiry::reconcile(const std::string& name, std::stop_token stop) {
  const Result<velero::Backup> found = context_.objects.get<velero::Backup>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  if (!found) return found.error();
  const velero::Backup& backup = *found;
  if (!backup.status.expiration.has_value()) return kube::After::done();
  const Duration left = *backup.status.expiration - context_.clock.now();
  if (left > Duration::zero())
    return kube::After::in(std::min<Duration>(left, context_.options.garbage_collection_frequency));
  const Duration again = context_.options.garbage_collection_frequency;
  const Result<velero::BackupStorageLocation> location =
      context_.objects.get<velero::BackupStorageLocation>(backup.spec.storage_location, stop);
  if (location.is(ErrorCode::not_found)) {
    TRY(mark(backup, "BSLNotFound", stop));
    return kube::After::in(again);
  }
  if (!location) {
    TRY(mark(backup, "BSLCannotGet", stop));
    return kube::After::in(again);
  }
  if (location->read_only()) {
    TRY(mark(backup, "BSLReadOnly", stop));
    return kube::After::in(again);
  }
  if (location->status.phase == velero::phase::kUnavailable) {
    TRY(mark(backup, "BSLUnavailable", stop));
    return kube::After::in(again);
  }
  for (const velero::DeleteBackupRequest& request : TRY(context_.objects.list<velero::DeleteBackupRequest>({}, stop))) {
    if (request.spec.backup_name == name && request.status.phase != velero::phase::kProcessed)
      return kube::After::in(again);
  }
  velero::DeleteBackupRequest request;
  request.metadata.generate_name = name + "-";
  request.metadata.namespace_ = context_.objects.ns();
  request.metadata.labels = {{std::string(velero::label::kBackupName), velero::label_value(name)},
                             {std::string(velero::label::kBackupUid), backup.metadata.uid}};
  request.spec.backup_name = name;
  const Result<velero::DeleteBackupRequest> made = context_.objects.create(request, stop);
  if (!made) return made.error();
  context_.log.info("backup has expired", {{"backup", name}});
  return kube::After::in(again);
}

Status Expiry::mark(const velero::Backup& backup, const char* reason, std::stop_token stop) {
  if (backup.metadata.label(velero::label::kGcFailure) == reason) return {};
  json::object labels;
  labels[velero::label::kGcFailure] = reason;
  json::object patch;
  json::set(patch, {"metadata", "labels"}, std::move(labels));
  return context_.objects.merge<velero::Backup>(backup.metadata.name, std::move(patch), std::move(stop));
}

}  // namespace holdfast::control
