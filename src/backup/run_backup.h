// One whole backup: collect, then write its files into the store in the order of safety.md 12.
//
// All files come first, the log as the claim; velero-backup.json comes last and by put-if-absent: it is the backup. A
// kill at any instant leaves a whole backup or none that anybody sees. Nothing that lies under the name is overwritten.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "backup/collect.h"
#include "objstore/store.h"
#include "velero/layout.h"

namespace holdfast::backup {

/// The epoch of the applications that this backup covers, as far as the coordination location tells (safety.md 4).
class EpochSource {
 public:
  virtual ~EpochSource() = default;
  /// Read anew at every call: at the start of a backup and again just before its metadata is put.
  [[nodiscard]] virtual Result<std::string> current(std::stop_token stop) = 0;
};

struct BackupRun {
  velero::Layout layout;
  CollectOptions collect = {};  ///< with the Backup object: metadata.name and spec are taken from it
  std::string site = {};        ///< annotation holdfast.dev/site; empty: none is written
  std::string attempt = {};     ///< annotation holdfast.dev/attempt: a random id of this attempt
  std::string spill_directory = {};
  EpochSource* epochs = nullptr;  ///< null: epoch 0
  log::Logger log = {};           ///< beside the backup's own log file
  Clock* clock = &system_clock();
};

struct BackupOutcome {
  velero::Backup backup;  ///< the Backup as stored, with its final status
  std::string phase;      ///< Completed or PartiallyFailed
  uint64_t tarball_bytes = 0;
};

/// Runs it. An Error means phase Failed with that message as failureReason: nothing visible is in the store (`exists`:
/// the name is taken; `conflict`: the epoch moved meanwhile).
[[nodiscard]] Result<BackupOutcome> run_backup(kube::Api& api, objstore::Store& store, const BackupRun& run,
                                               VolumeBackups* volumes, std::stop_token stop = {});

}  // namespace holdfast::backup
