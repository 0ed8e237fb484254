// Where things are in a backup location: keys of objects below bucket and prefix, and what may stand there.
//
// Key = [prefix "/"] + directory + file. All functions are pure; names are refused, never repaired.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::velero {

/// The files of one backup; the directory is backups/NAME/.
enum class BackupFile {
  metadata,            ///< velero-backup.json, plain: the backup exists when this exists
  contents,            ///< NAME.tar.gz
  log,                 ///< NAME-logs.gz
  pod_volume_backups,  ///< NAME-podvolumebackups.json.gz
  volume_snapshots,    ///< NAME-volumesnapshots.json.gz
  resource_list,       ///< NAME-resource-list.json.gz
  results,             ///< NAME-results.gz
  item_operations,     ///< NAME-itemoperations.json.gz
  volume_info,         ///< NAME-volumeinfo.json.gz
  csi_snapshots,       ///< NAME-csi-volumesnapshots.json.gz
  csi_contents,        ///< NAME-csi-volumesnapshotcontents.json.gz
  csi_classes,         ///< NAME-csi-volumesnapshotclasses.json.gz
};

/// The files of one restore; the directory is restores/NAME/.
enum class RestoreFile {
  log,              ///< restore-NAME-logs.gz
  results,          ///< restore-NAME-results.gz
  resource_list,    ///< restore-NAME-resource-list.json.gz
  item_operations,  ///< restore-NAME-itemoperations.json.gz
  volume_info,      ///< NAME-volumeinfo.json.gz
};

/// The order in which a backup's files are put: everything, then the metadata (safety.md 12).
[[nodiscard]] const std::vector<BackupFile>& backup_write_order();

class Layout {
 public:
  /// `prefix` as in the BackupStorageLocation; slashes at its ends are dropped. invalid for "." or ".." parts, empty
  /// parts inside, and control characters.
  [[nodiscard]] static Result<Layout> at(std::string_view prefix);

  /// "" or "PREFIX/".
  [[nodiscard]] const std::string& root() const { return root_; }

  [[nodiscard]] std::string backups() const { return root_ + "backups/"; }
  [[nodiscard]] std::string restores() const { return root_ + "restores/"; }
  [[nodiscard]] std::string backup_directory(std::string_view backup) const;
  [[nodiscard]] std::string restore_directory(std::string_view restore) const;
  [[nodiscard]] std::string key(BackupFile file, std::string_view backup) const;
  [[nodiscard]] std::string key(RestoreFile file, std::string_view restore) const;
  /// The restic repository of a source namespace, "PREFIX/restic/NAMESPACE/".
  [[nodiscard]] std::string restic_repository(std::string_view source_namespace) const;
  [[nodiscard]] std::string kopia_repository(std::string_view source_namespace) const;
  /// Our own corner, which Velero allows and never reads: "PREFIX/plugins/holdfast/".
  [[nodiscard]] std::string plugins() const { return root_ + "plugins/holdfast/"; }

  /// The backup's name from a common prefix ("PREFIX/backups/NAME/") of a listing of backups() with delimiter "/";
  /// nothing where it is not one.
  [[nodiscard]] std::optional<std::string> backup_name(std::string_view common_prefix) const;

  /// The key a DownloadRequest asks for. invalid for kinds we do not know and names that are no object names.
  [[nodiscard]] Result<std::string> download_key(std::string_view target_kind, std::string_view target_name) const;

 private:
  explicit Layout(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

/// Directories that may stand directly below the prefix; with any other, Velero calls the location Unavailable.
[[nodiscard]] bool top_level_directory_allowed(std::string_view name);
/// The verdict on a listing's common prefixes below the root: Velero's text, naming all foreign directories.
Status check_top_level(const Layout& layout, const std::vector<std::string>& common_prefixes);

/// True where a name can be a backup's or restore's: a DNS-1123 subdomain, at most 253 characters.
[[nodiscard]] bool valid_object_name(std::string_view name);

/// The restic URL that Velero records as repoIdentifier: "s3:ENDPOINT/BUCKET/PREFIX/restic/NS". `endpoint` is the
/// location's s3Url, or "s3-REGION.amazonaws.com" where it is empty; resticRepoPrefix of the location, when set,
/// stands for all before "/NS".
struct ResticIdentifierInput {
  std::string s3_url;
  std::string region;
  std::string bucket;
  std::string prefix;
  std::string restic_repo_prefix;
};
[[nodiscard]] std::string restic_identifier(const ResticIdentifierInput& in, std::string_view source_namespace);

}  // namespace holdfast::velero
