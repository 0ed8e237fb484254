#include "backup/restore_files.h"

#include <fmt/format.h>

#include "velero/gzip.h"
#include "velero/item_operations.h"

namespace holdfast::backup {
namespace {

using velero::BackupFile;
using velero::RestoreFile;

/// The plain text of a file that older backups do not have; nothing then.
Result<std::optional<std::string>> optional_text(objstore::Store& store, const std::string& key,
                                                 const std::stop_token& stop) {
  Result<std::string> packed = store.get(key, {}, stop);
  if (packed.is(ErrorCode::not_found)) return std::optional<std::string>();
  if (!packed) return std::move(packed).error();
  std::string text = TRY(velero::gunzip(*packed).in(key));
  return std::optional<std::string>(std::move(text));
}

}  // namespace

Result<BackupContents> read_backup(objstore::Store& store, const velero::Layout& layout, const std::string& backup,
                                   const Tarball::Limits& limits, std::stop_token stop) {
  const std::string metadata_key = layout.key(BackupFile::metadata, backup);
  Result<std::string> metadata = store.get(metadata_key, {}, stop);
  if (metadata.is(ErrorCode::not_found)) {
    return Error(ErrorCode::not_found, fmt::format("backup {} is not in {}", backup, store.name()),
                 "without velero-backup.json there is no backup of that name");
  }
  if (!metadata) return std::move(metadata).error();
  velero::Backup object = TRY(velero::decode_metadata(*metadata).in(metadata_key));
  const std::string contents_key = layout.key(BackupFile::contents, backup);
  // Asked apart: a scratch directory that is missing here is another thing than a tarball that is missing there.
  const Result<objstore::ObjectMeta> there = store.head(contents_key, stop);
  if (there.is(ErrorCode::not_found)) {
    return Error(ErrorCode::not_found, contents_key + " is missing",
                 "the backup's objects are lost; its volumes may still be in the repositories");
  }
  if (!there) return there.error();
  Result<Tarball> tarball = Tarball::read(store_source(store, contents_key, stop), limits, stop);
  if (!tarball) {
    Error error = std::move(tarball).error().in(contents_key);
    const bool damaged = error.code() == ErrorCode::corrupt || error.code() == ErrorCode::invalid ||
                         error.code() == ErrorCode::exhausted;
    return damaged ? std::move(error).hinted("the file is damaged: put it back from a copy, or restore another backup")
                   : error;
  }

  BackupContents contents{std::move(object), std::move(*tarball), {}, {}};
  const std::string infos_key = layout.key(BackupFile::volume_info, backup);
  if (const auto text = TRY(optional_text(store, infos_key, stop))) {
    contents.volume_infos = TRY(velero::decode_backup_volume_infos(*text).in(infos_key));
  }
  const std::string volumes_key = layout.key(BackupFile::pod_volume_backups, backup);
  if (const auto text = TRY(optional_text(store, volumes_key, stop))) {
    contents.pod_volume_backups = TRY(velero::decode_pod_volume_backups(*text).in(volumes_key));
  }
  return contents;
}

void write_restore_files(objstore::Store& store, const velero::Layout& layout, const std::string& restore,
                         const RestoreOutcome& outcome, const std::string& log_text, const log::Logger& log,
                         std::stop_token stop) {
  const std::pair<RestoreFile, std::string> files[] = {
      {RestoreFile::log, log_text},
      {RestoreFile::results, velero::encode_results(outcome.results)},
      {RestoreFile::resource_list, velero::encode_resource_list(outcome.resource_list)},
      {RestoreFile::item_operations, velero::encode_operations(std::vector<velero::RestoreOperation>())},
      {RestoreFile::volume_info, velero::encode_volume_infos(outcome.volume_infos)}};
  for (const auto& [file, text] : files) {
    const std::string key = layout.key(file, restore);
    const Result<std::string> packed = velero::gzip(text);
    const Status put = packed ? store.put(key, *packed, stop) : Status(packed.error());
    if (put) continue;
    log.warning("the restore's files could not be written", {{"key", key}, {"error", put.error()}});
    return;
  }
}

}  // namespace holdfast::backup
