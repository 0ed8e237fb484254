// The texts of `backup|restore|schedule describe` and of the `get` tables, as the velero command prints them without
// colour. Pure: all that is shown is handed in; nothing is downloaded here, and "now" is a parameter.
#pragma once

#include "velero/item_operations.h"
#include "velero/resource_list.h"
#include "velero/results.h"
#include "velero/types.h"
#include "velero/volume_info.h"

namespace holdfast::velero {

struct BackupDescription {
  const Backup* backup = nullptr;
  std::optional<Results> results;                        ///< when there are errors or warnings
  std::optional<ResourceList> resources;                 ///< with details
  std::optional<std::vector<BackupVolumeInfo>> volumes;  ///< none: the file could not be had
  std::vector<BackupOperation> operations;
  bool details = false;
};
[[nodiscard]] std::string describe(const BackupDescription& in);
/// The object of `backup describe -o json`, members sorted; velero prints it with four spaces of indentation.
[[nodiscard]] json::object describe_json(const BackupDescription& in);

struct RestoreDescription {
  const Restore* restore = nullptr;
  std::optional<Results> results;
  std::optional<ResourceList> resources;  ///< with details
  std::vector<PodVolumeRestore> volumes;
  std::vector<RestoreVolumeInfo> infos;  ///< of the restore's volume info file, which says what came from CSI snapshots
  bool details = false;
};
[[nodiscard]] std::string describe(const RestoreDescription& in);

[[nodiscard]] std::string describe(const Schedule& schedule);

struct TableOptions {
  Time now;
  bool show_labels = false;
};
/// One line per object below a line of headings; "" for none, as kubectl and velero do.
[[nodiscard]] std::string table(const std::vector<Backup>& list, const TableOptions& options);
[[nodiscard]] std::string table(const std::vector<Restore>& list, const TableOptions& options);
[[nodiscard]] std::string table(const std::vector<Schedule>& list, const TableOptions& options);
[[nodiscard]] std::string table(const std::vector<BackupStorageLocation>& list, const TableOptions& options);
[[nodiscard]] std::string table(const std::vector<BackupRepository>& list, const TableOptions& options);

}  // namespace holdfast::velero
