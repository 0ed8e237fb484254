#include "control/stored_backup.h"

#include <fmt/format.h>

#include "velero/layout.h"
#include "velero/metadata.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

velero::Layout root_layout() {
  return velero::Layout::at("").value();
}

bool same(const velero::Backup& stored, const velero::Backup& object) {
  const std::string attempt = stored.metadata.annotation(velero::annotation::kAttempt);
  if (attempt != object.metadata.annotation(velero::annotation::kAttempt)) return false;
  return !attempt.empty() || stored.status.start_timestamp == object.status.start_timestamp;
}

}  // namespace

Result<std::optional<backup::Claim>> claim_of(objstore::Store& store, const std::string& backup, std::stop_token stop) {
  const std::string key = root_layout().key(velero::BackupFile::log, backup);
  const Result<std::string> log = store.get(key, {}, std::move(stop));
  if (log.is(ErrorCode::not_found)) return std::optional<backup::Claim>();
  if (!log) return log.error();
  Result<std::optional<backup::Claim>> claim = backup::read_claim(*log);
  // A log that cannot be read proves nothing.
  if (!claim) return std::optional<backup::Claim>();
  return claim;
}

Result<Stored> what_is_stored(objstore::Store& store, const velero::Backup& backup, std::stop_token stop) {
  const std::string& name = backup.metadata.name;
  const std::string key = root_layout().key(velero::BackupFile::metadata, name);
  const Result<std::string> text = store.get(key, {}, stop);
  if (text.ok()) {
    const Result<velero::Backup> stored = velero::decode_metadata(*text);
    if (!stored) {
      return Error(ErrorCode::corrupt, fmt::format("{}: {}", key, stored.error().message()),
                   "it cannot be told whose backup this is: look at it, and remove it by hand where it is not needed");
    }
    return same(*stored, backup) ? Stored::this_backup : Stored::another;
  }
  if (!text.is(ErrorCode::not_found)) return text.error();
  objstore::ListRequest request;
  request.prefix = root_layout().backup_directory(name);
  request.limit = 1;
  const objstore::ListPage page = TRY(store.list(request, stop));
  if (page.objects.empty()) return Stored::nothing;
  const std::optional<backup::Claim> claim = TRY(claim_of(store, name, stop));
  const std::string attempt = backup.metadata.annotation(velero::annotation::kAttempt);
  if (claim.has_value() && claim->attempt != attempt) return Stored::another;
  // Deleting is set only after the metadata was seen to be this Backup's.
  const bool ours = claim.has_value() || backup.status.phase == velero::phase::kDeleting;
  return ours ? Stored::remains : Stored::another;
}

Status remove_backup_files(objstore::Store& store, const std::string& backup, std::stop_token stop) {
  const std::string log = root_layout().key(velero::BackupFile::log, backup);
  const std::vector<objstore::ObjectMeta> objects =
      TRY(objstore::list_all(store, root_layout().backup_directory(backup), stop));
  for (auto object = objects.rbegin(); object != objects.rend(); ++object)
    if (object->key != log) TRY(store.remove(object->key, stop));
  return store.remove(log, std::move(stop));
}

}  // namespace holdfast::control
