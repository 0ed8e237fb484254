#include "control/backup_sync.h"

#include <fmt/format.h>

#include <algorithm>

#include "velero/gzip.h"
#include "velero/layout.h"
#include "velero/metadata.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

/// On a Backup whose PodVolumeBackups have not all been made yet.
constexpr std::string_view kIncomplete = "holdfast.dev/sync-incomplete";
constexpr size_t kFileMax = size_t{256} << 20;

velero::Layout root_layout() {
  return velero::Layout::at("").value();
}

bool still_running(const velero::Backup& backup) {
  const std::string& phase = backup.status.phase;
  return phase.starts_with("WaitingForPluginOperations") || phase.starts_with("Finalizing");
}

}  // namespace

Result<std::vector<std::string>> backups_in(objstore::Store& store, std::stop_token stop) {
  const velero::Layout layout = root_layout();
  std::vector<std::string> names;
  objstore::ListRequest request;
  request.prefix = layout.backups();
  request.delimiter = "/";
  do {
    const objstore::ListPage page = TRY(store.list(request, stop));
    for (const std::string& prefix : page.prefixes) {
      if (std::optional<std::string> name = layout.backup_name(prefix)) names.push_back(std::move(*name));
    }
    request.after = page.next;
  } while (!request.after.empty());
  return names;
}

Result<kube::After> BackupSync::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::BackupStorageLocation> object = context_.objects.get<velero::BackupStorageLocation>(name, stop);
  if (object.is(ErrorCode::not_found)) return kube::After::done();
  if (!object) return object.error();
  const Duration period = object->spec.backup_sync_period.value_or(context_.options.default_sync_period);
  if (period <= Duration::zero()) return kube::After::done();
  if (object->status.phase != velero::phase::kAvailable)
    return kube::After::in(std::min<Duration>(period, std::chrono::seconds(1)));
  // Every status that is written to the location comes back as a change of it: that is no reason to list it again.
  const std::string spec = json::compact(json::object_at(velero::encode(*object), {"spec"}));
  {
    std::lock_guard lock(mutex_);
    const auto last = passes_.find(name);
    const Duration rest =
        last == passes_.end() ? Duration::zero() : last->second.at + period - context_.clock.boottime();
    if (rest > Duration::zero() && last->second.spec == spec) return kube::After::in(rest);
  }
  const location::Location location = TRY(context_.locations.get(name, stop));
  TRY(sync(location, stop));
  {
    std::lock_guard lock(mutex_);
    passes_[name] = {spec, context_.clock.boottime()};
  }
  json::object patch;
  json::set(patch, {"status", "lastSyncedTime"}, format_rfc3339(context_.clock.now()));
  TRY(context_.objects.merge<velero::BackupStorageLocation>(name, std::move(patch), stop));
  return kube::After::in(period);
}

Result<int> BackupSync::sync(const location::Location& location, std::stop_token stop, std::vector<Error>* unread) {
  const std::vector<std::string> present = TRY(backups_in(*location.store, stop));
  int made = 0;
  for (const std::string& name : present) {
    const Result<bool> brought = bring(location, name, stop);
    if (!brought) {
      // One bad directory must not hide the others; it is told of at every pass, by name.
      context_.log.error("backup not synced",
                         {{"backup", name}, {"location", location.object.metadata.name}, {"error", brought.error()}});
      if (brought.is(ErrorCode::cancelled)) return brought.error();
      if (unread != nullptr) unread->push_back(brought.error().in("backup " + name));
      continue;
    }
    if (*brought) ++made;
  }
  TRY(drop_missing(location, present, stop));
  return made;
}

Result<bool> BackupSync::bring(const location::Location& location, const std::string& name, std::stop_token stop) {
  const Result<velero::Backup> known = context_.objects.get<velero::Backup>(name, stop);
  if (known.ok()) {
    const bool half = known->metadata.annotations.contains(std::string(kIncomplete)) &&
                      known->spec.storage_location == location.object.metadata.name;
    if (half) TRY(complete(location, *known, stop));
    return false;
  }
  if (!known.is(ErrorCode::not_found)) return known.error();
  const std::string key = root_layout().key(velero::BackupFile::metadata, name);
  const Result<std::string> text = location.store->get(key, {}, stop);
  if (text.is(ErrorCode::not_found)) return false;  // a backup that is being written, or that never became one
  if (!text) return text.error();
  velero::Backup backup = TRY(velero::decode_metadata(*text).in(key));
  if (backup.metadata.name != name) {
    return Error(ErrorCode::invalid, fmt::format("{}: it is the backup \"{}\"", key, backup.metadata.name),
                 "a directory below backups/ has the name of its backup");
  }
  const bool expired = backup.status.expiration.has_value() && *backup.status.expiration < context_.clock.now();
  if (still_running(backup) && !expired) return false;
  velero::ObjectMeta meta;
  meta.name = name;
  meta.namespace_ = context_.objects.ns();
  meta.labels = backup.metadata.labels;
  meta.labels[std::string(velero::label::kStorageLocation)] = velero::label_value(location.object.metadata.name);
  meta.annotations = backup.metadata.annotations;
  meta.annotations[std::string(kIncomplete)] = "true";
  backup.metadata = std::move(meta);
  backup.spec.storage_location = location.object.metadata.name;
  Result<velero::Backup> made = context_.objects.create(backup, stop);
  if (made.is(ErrorCode::exists)) return false;
  if (!made) return made.error();
  TRY(complete(location, *made, stop));
  context_.log.info("backup synced", {{"backup", name}, {"location", location.object.metadata.name}});
  return true;
}

/// Makes the PodVolumeBackups, then takes the mark away: a death in between, and the next pass goes on.
Status BackupSync::complete(const location::Location& location, const velero::Backup& backup, std::stop_token stop) {
  TRY(bring_pod_volume_backups(location, backup, stop));
  json::object patch;
  json::set(patch, {"metadata", "annotations", kIncomplete}, json::value());
  return context_.objects.merge<velero::Backup>(backup.metadata.name, std::move(patch), stop);
}

Status BackupSync::bring_pod_volume_backups(const location::Location& location, const velero::Backup& backup,
                                            std::stop_token stop) {
  const std::string key = root_layout().key(velero::BackupFile::pod_volume_backups, backup.metadata.name);
  const Result<std::string> packed = location.store->get(key, {}, stop);
  if (packed.is(ErrorCode::not_found)) return {};
  if (!packed) return packed.error();
  const std::string text = TRY(velero::gunzip(*packed, kFileMax).in(key));
  for (velero::PodVolumeBackup& pvb : TRY(velero::decode_pod_volume_backups(text).in(key))) {
    velero::ObjectMeta meta;
    meta.name = pvb.metadata.name;
    meta.namespace_ = context_.objects.ns();
    meta.labels = pvb.metadata.labels;
    meta.labels[std::string(velero::label::kBackupUid)] = backup.metadata.uid;
    meta.annotations = pvb.metadata.annotations;
    meta.owner_references = {
        {"velero.io/v1", "Backup", backup.metadata.name, backup.metadata.uid, true, std::nullopt, {}}};
    pvb.metadata = std::move(meta);
    pvb.kind = velero::PodVolumeBackup::kKind;
    pvb.api_version = velero::kApiVersion;
    pvb.spec.backup_storage_location = location.object.metadata.name;
    const Result<velero::PodVolumeBackup> made = context_.objects.create(pvb, stop);
    if (!made && !made.is(ErrorCode::exists)) return made.error();
  }
  return {};
}

Status BackupSync::drop_missing(const location::Location& location, const std::vector<std::string>& present,
                                std::stop_token stop) {
  const std::string label =
      fmt::format("{}={}", velero::label::kStorageLocation, velero::label_value(location.object.metadata.name));
  for (const velero::Backup& backup : TRY(context_.objects.list<velero::Backup>(label, stop))) {
    const std::string& phase = backup.status.phase;
    if (phase != velero::phase::kCompleted && phase != velero::phase::kPartiallyFailed) continue;
    if (std::find(present.begin(), present.end(), backup.metadata.name) != present.end()) continue;
    // It may have been finished after the listing: ask for this one again before anything is deleted.
    const Result<objstore::ObjectMeta> head =
        location.store->head(root_layout().key(velero::BackupFile::metadata, backup.metadata.name), stop);
    if (!head.is(ErrorCode::not_found)) continue;
    TRY(context_.objects.remove<velero::Backup>(backup.metadata.name, stop));
    context_.log.info("backup is gone from its location", {{"backup", backup.metadata.name}});
  }
  return {};
}

}  // namespace holdfast::control
