#include "control/leftovers.h"

#include <fmt/format.h>

#include "control/backup_sync.h"
#include "control/holder.h"
#include "control/stored_backup.h"
#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

/// A day, and what the clocks of a store and of a site may be apart.
constexpr Duration kAge = std::chrono::hours(24) + std::chrono::minutes(5);

std::string metadata_key(const std::string& backup) {
  return velero::Layout::at("").value().key(velero::BackupFile::metadata, backup);
}

}  // namespace

Result<kube::After> Leftovers::reconcile(const std::string& name, std::stop_token stop) {
  const Result<velero::BackupStorageLocation> object = context_.objects.get<velero::BackupStorageLocation>(name, stop);
  if (object.is(ErrorCode::not_found)) return kube::After::done();
  if (!object) return object.error();
  const Duration period = context_.options.garbage_collection_frequency;
  if (object->read_only() || object->status.phase != velero::phase::kAvailable) return kube::After::in(period);
  {
    std::lock_guard lock(mutex_);
    const auto last = passes_.find(name);
    const Duration rest = last == passes_.end() ? Duration::zero() : last->second + period - context_.clock.boottime();
    if (rest > Duration::zero()) return kube::After::in(rest);
  }
  const location::Location location = TRY(context_.locations.get(name, stop));
  TRY(clear(location, stop));
  std::lock_guard lock(mutex_);
  passes_[name] = context_.clock.boottime();
  return kube::After::in(period);
}

Status Leftovers::clear(const location::Location& location, std::stop_token stop) {
  const std::set<std::string> whole = TRY(known_whole(location, stop));
  for (const std::string& backup : TRY(backups_in(*location.store, stop))) {
    if (whole.contains(backup) || !TRY(is_leftover(location, backup, stop))) continue;
    // Somebody may have finished it meanwhile: then it is a backup.
    const Result<objstore::ObjectMeta> metadata = location.store->head(metadata_key(backup), stop);
    if (metadata.ok()) continue;
    if (!metadata.is(ErrorCode::not_found)) return metadata.error();
    TRY(remove_backup_files(*location.store, backup, stop).in("leftovers of backup " + backup));
    context_.log.info("files of a backup that never became one removed",
                      {{"backup", backup}, {"location", location.object.metadata.name}});
  }
  return {};
}

/// Backups of the location that this cluster knows to be whole; they need no look.
Result<std::set<std::string>> Leftovers::known_whole(const location::Location& location, std::stop_token stop) {
  const std::string label =
      fmt::format("{}={}", velero::label::kStorageLocation, velero::label_value(location.object.metadata.name));
  std::set<std::string> out;
  for (const velero::Backup& backup : TRY(context_.objects.list<velero::Backup>(label, std::move(stop)))) {
    const std::string& phase = backup.status.phase;
    if (phase == velero::phase::kCompleted || phase == velero::phase::kPartiallyFailed)
      out.insert(backup.metadata.name);
  }
  return out;
}

Result<bool> Leftovers::is_leftover(const location::Location& location, const std::string& backup,
                                    std::stop_token stop) {
  objstore::Store& store = *location.store;
  const Result<objstore::ObjectMeta> metadata = store.head(metadata_key(backup), stop);
  if (metadata.ok()) return false;
  if (!metadata.is(ErrorCode::not_found)) return metadata.error();
  const std::string directory = velero::Layout::at("").value().backup_directory(backup);
  const Time now = context_.clock.now();
  for (const objstore::ObjectMeta& object : TRY(objstore::list_all(store, directory, stop)))
    if (now - object.modified < kAge) return false;
  const std::optional<backup::Claim> claim = TRY(claim_of(store, backup, stop));
  if (!claim.has_value() || claim->site.empty() || now - claim->begun < kAge) return false;
  if (!check_holder(context_.options.site, location.object, claim->site, claim->epoch)) return false;
  const Result<velero::Backup> object = context_.objects.get<velero::Backup>(backup, stop);
  if (object.is(ErrorCode::not_found)) return true;
  if (!object) return object.error();
  return velero::is_final(object->status.phase) && object->status.phase != velero::phase::kDeleting;
}

}  // namespace holdfast::control
