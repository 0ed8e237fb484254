// The files that a restore reads from a backup and writes about itself. Only for run_restore.cc.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "backup/run_restore.h"
#include "velero/metadata.h"

namespace holdfast::backup {

struct BackupContents {
  velero::Backup backup;
  Tarball tarball;
  std::vector<velero::BackupVolumeInfo> volume_infos;       ///< empty where the backup has no such file
  std::vector<velero::PodVolumeBackup> pod_volume_backups;  ///< likewise
};

/// not_found with a hint where the metadata or the tarball is missing; corrupt and invalid name the file.
[[nodiscard]] Result<BackupContents> read_backup(objstore::Store& store, const velero::Layout& layout,
                                                 const std::string& backup, const Tarball::Limits& limits,
                                                 std::stop_token stop);

/// Writes what it can below restores/R/; a failure is one warning in the log: the location may be read-only.
void write_restore_files(objstore::Store& store, const velero::Layout& layout, const std::string& restore,
                         const RestoreOutcome& outcome, const std::string& log_text, const log::Logger& log,
                         std::stop_token stop);

}  // namespace holdfast::backup
