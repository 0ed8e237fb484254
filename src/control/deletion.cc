#include "control/deletion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/holder.h"
#include "control/stored_backup.h"
#include "location/volume_repository.h"
#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

constexpr Duration kLookAgain = std::chrono::seconds(5);

/// The label of Backups that could not be expired; Velero's values, and one of ours.
constexpr const char* kNotHolder = "NotHolder";

}  // namespace

/// The snapshots of one backup in the repositories of its location: first found and locked, then forgotten.
class Deletion::Snapshots {
 public:
  explicit Snapshots(const Context& context) : context_(context) {}

  /// Nothing is changed but for the locks; what refuses, refuses here. False: somebody works on a repository alone.
  Result<bool> find(const location::Location& location, const velero::Backup& backup, std::stop_token stop) {
    const std::string label =
        fmt::format("{}={}", velero::label::kBackupName, velero::label_value(backup.metadata.name));
    std::map<std::string, std::vector<std::string>> by_namespace;
    for (const velero::PodVolumeBackup& pvb : TRY(context_.objects.list<velero::PodVolumeBackup>(label, stop))) {
      const std::string uid = pvb.metadata.label(velero::label::kBackupUid);
      const bool ours = uid.empty() || uid == backup.metadata.uid;
      const bool restic = pvb.spec.uploader_type.empty() || pvb.spec.uploader_type == "restic";
      if (ours && restic && !pvb.status.snapshot_id.empty())
        by_namespace[pvb.spec.pod.namespace_].push_back(pvb.status.snapshot_id);
    }
    if (by_namespace.empty()) return true;
    const crypto::Secret password =
        TRY(location::repository_password(context_.api, context_.objects.ns(), location::Missing::refuse, stop));
    for (const auto& [ns, ids] : by_namespace) {
      Result<std::unique_ptr<repo::Repository>> repository =
          location::open_volume_repository(location, ns, password, location::Missing::refuse, {}, stop);
      if (repository.is(ErrorCode::not_found)) continue;  // its snapshots went with it
      if (!repository) return repository.error();
      const Status found = find_in(std::move(*repository), ids, stop).in("repository of namespace " + ns);
      if (found.is(ErrorCode::conflict)) {
        context_.log.info("the deletion waits", {{"backup", backup.metadata.name}, {"reason", found.error()}});
        return false;
      }
      TRY(found);
    }
    return true;
  }

  Status forget(std::stop_token stop) {
    for (Found& found : found_) {
      for (const repo::Id& id : found.snapshots) {
        TRY(found.lock->verify(stop));
        TRY(found.repository->remove_snapshot(id, stop));
      }
    }
    return {};
  }

 private:
  struct Found {
    std::unique_ptr<repo::Repository> repository;
    std::unique_ptr<repo::Lock> lock;  ///< goes before its repository
    std::vector<repo::Id> snapshots;
  };

  Status find_in(std::unique_ptr<repo::Repository> repository, const std::vector<std::string>& ids,
                 std::stop_token stop) {
    // Shared: other backups go on. A foreign exclusive lock is honoured until it is stale (safety.md 9).
    repo::LockOptions options;
    options.site = context_.options.site;
    Found found{std::move(repository), nullptr, {}};
    found.lock = TRY(found.repository->lock(options, stop));
    const std::vector<repo::Snapshot> snapshots = TRY(found.repository->snapshots(stop));
    for (const std::string& id : ids) {
      const Result<repo::Snapshot> snapshot = repo::find_snapshot(snapshots, id);
      if (snapshot.is(ErrorCode::not_found)) continue;
      if (!snapshot) return snapshot.error();
      found.snapshots.push_back(snapshot->id);
    }
    found_.push_back(std::move(found));
    return {};
  }

  const Context& context_;
  std::vector<Found> found_;
};

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
    const Result<bool> removed = remove_backup(*backup, stop);
    if (removed.ok() && !*removed) return kube::After::in(kLookAgain);
    if (!removed) status = removed.error();
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

Result<bool> Deletion::remove_backup(const velero::Backup& backup, std::stop_token stop) {
  const std::string& name = backup.metadata.name;
  const location::Location location = TRY(context_.locations.get(backup.spec.storage_location, stop));
  if (location.object.read_only()) {
    return Error(ErrorCode::denied,
                 fmt::format("cannot delete backup because backup storage location {} is currently in read-only mode",
                             location.object.metadata.name));
  }
  TRY(check_holder(context_.options.site, location.object, backup).in("backup " + name));
  const Stored stored = TRY(what_is_stored(*location.store, backup, stop));
  if (TRY(in_use(name, stop))) return false;
  const bool made_by_a_run = !backup.metadata.annotation(velero::annotation::kAttempt).empty();
  const bool files_are_ours = stored == Stored::this_backup || stored == Stored::remains;
  if (backup.status.phase != velero::phase::kDeleting && files_are_ours) {
    json::object patch;
    json::set(patch, {"status", "phase"}, velero::phase::kDeleting);
    TRY(context_.objects.merge<velero::Backup>(name, std::move(patch), stop));
    // A Restore that began in between has seen the new phase and ends, or is seen here.
    if (TRY(in_use(name, stop))) return false;
  }
  Snapshots snapshots(context_);
  // With somebody else's files under the name, PodVolumeBackups may be copies that name somebody else's snapshots.
  if ((stored != Stored::another || made_by_a_run) && !TRY(snapshots.find(location, backup, stop))) return false;
  const velero::Layout layout = TRY(velero::Layout::at(""));
  if (files_are_ours) TRY(location.store->remove(layout.key(velero::BackupFile::metadata, name), stop));
  TRY(snapshots.forget(stop));
  if (files_are_ours) TRY(remove_backup_files(*location.store, name, stop));
  if (stored == Stored::another) {
    context_.log.warning("only the object is deleted: what lies under its name in the location is another backup",
                         {{"backup", name}, {"location", location.object.metadata.name}});
  }
  TRY(remove_restores(location, backup, stop));
  TRY(context_.objects.remove<velero::Backup>(name, stop));
  return true;
}

Result<bool> Deletion::in_use(const std::string& backup, std::stop_token stop) {
  for (const velero::Restore& restore : TRY(context_.objects.list<velero::Restore>({}, std::move(stop)))) {
    const std::string& phase = restore.status.phase;
    const bool begun = !phase.empty() && phase != velero::phase::kNew;
    if (restore.spec.backup_name != backup || !begun || velero::is_final(phase)) continue;
    context_.log.info("a restore reads the backup: its deletion waits",
                      {{"backup", backup}, {"restore", restore.metadata.name}});
    return true;
  }
  return false;
}

Status Deletion::remove_restores(const location::Location& location, const velero::Backup& backup,
                                 std::stop_token stop) {
  const velero::Layout layout = TRY(velero::Layout::at(""));
  for (const velero::Restore& restore : TRY(context_.objects.list<velero::Restore>({}, stop))) {
    if (restore.spec.backup_name != backup.metadata.name) continue;
    for (const objstore::ObjectMeta& object :
         TRY(objstore::list_all(*location.store, layout.restore_directory(restore.metadata.name), stop))) {
      TRY(location.store->remove(object.key, stop));
    }
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
  if (!check_holder(context_.options.site, *location, backup)) {
    TRY(mark(backup, kNotHolder, stop));
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
