#include "velero/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace holdfast::velero {

namespace {

constexpr std::array<std::string_view, 6> kTopLevel = {"backups", "restores", "restic", "kopia", "metadata", "plugins"};

std::string_view trim_slashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

std::string_view suffix(BackupFile file) {
  switch (file) {
    case BackupFile::metadata:
      return "";
    case BackupFile::contents:
      return ".tar.gz";
    case BackupFile::log:
      return "-logs.gz";
    case BackupFile::pod_volume_backups:
      return "-podvolumebackups.json.gz";
    case BackupFile::volume_snapshots:
      return "-volumesnapshots.json.gz";
    case BackupFile::resource_list:
      return "-resource-list.json.gz";
    case BackupFile::results:
      return "-results.gz";
    case BackupFile::item_operations:
      return "-itemoperations.json.gz";
    case BackupFile::volume_info:
      return "-volumeinfo.json.gz";
    case BackupFile::csi_snapshots:
      return "-csi-volumesnapshots.json.gz";
    case BackupFile::csi_contents:
      return "-csi-volumesnapshotcontents.json.gz";
    case BackupFile::csi_classes:
      return "-csi-volumesnapshotclasses.json.gz";
  }
  CHECK(false);
}

std::string restore_file_name(RestoreFile file, std::string_view name) {
  switch (file) {
    case RestoreFile::log:
      return fmt::format("restore-{}-logs.gz", name);
    case RestoreFile::results:
      return fmt::format("restore-{}-results.gz", name);
    case RestoreFile::resource_list:
      return fmt::format("restore-{}-resource-list.json.gz", name);
    case RestoreFile::item_operations:
      return fmt::format("restore-{}-itemoperations.json.gz", name);
    case RestoreFile::volume_info:
      return fmt::format("{}-volumeinfo.json.gz", name);
  }
  CHECK(false);
}

struct BackupTarget {
  std::string_view kind;
  BackupFile file;
};
constexpr std::array<BackupTarget, 9> kBackupTargets = {{
    {"BackupLog", BackupFile::log},
    {"BackupContents", BackupFile::contents},
    {"BackupVolumeSnapshots", BackupFile::volume_snapshots},
    {"BackupItemOperations", BackupFile::item_operations},
    {"BackupResourceList", BackupFile::resource_list},
    {"BackupResults", BackupFile::results},
    {"BackupVolumeInfos", BackupFile::volume_info},
    {"CSIBackupVolumeSnapshots", BackupFile::csi_snapshots},
    {"CSIBackupVolumeSnapshotContents", BackupFile::csi_contents},
}};

struct RestoreTarget {
  std::string_view kind;
  RestoreFile file;
};
constexpr std::array<RestoreTarget, 5> kRestoreTargets = {{
    {"RestoreLog", RestoreFile::log},
    {"RestoreResults", RestoreFile::results},
    {"RestoreResourceList", RestoreFile::resource_list},
    {"RestoreItemOperations", RestoreFile::item_operations},
    {"RestoreVolumeInfo", RestoreFile::volume_info},
}};

}  // namespace

const std::vector<BackupFile>& backup_write_order() {
  static const std::vector<BackupFile> order = {
      BackupFile::log,           BackupFile::contents, BackupFile::pod_volume_backups, BackupFile::volume_snapshots,
      BackupFile::resource_list, BackupFile::results,  BackupFile::item_operations,    BackupFile::volume_info,
      BackupFile::metadata};
  return order;
}

Result<Layout> Layout::at(std::string_view prefix) {
  const std::string_view inner = trim_slashes(prefix);
  if (inner.empty()) return Layout("");
  for (const std::string& part : split(inner, '/')) {
    const bool control = std::any_of(part.begin(), part.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (part.empty() || part == "." || part == ".." || control)
      return Error(ErrorCode::invalid, fmt::format("objectStorage.prefix: \"{}\" is not a path", prefix),
                   "use names with single slashes between them, such as site-a/velero");
  }
  return Layout(std::string(inner) + "/");
}

std::string Layout::backup_directory(std::string_view backup) const {
  return fmt::format("{}{}/", backups(), backup);
}
std::string Layout::restore_directory(std::string_view restore) const {
  return fmt::format("{}{}/", restores(), restore);
}

std::string Layout::key(BackupFile file, std::string_view backup) const {
  if (file == BackupFile::metadata) return backup_directory(backup) + "velero-backup.json";
  return fmt::format("{}{}{}", backup_directory(backup), backup, suffix(file));
}

std::string Layout::key(RestoreFile file, std::string_view restore) const {
  return restore_directory(restore) + restore_file_name(file, restore);
}

std::string Layout::restic_repository(std::string_view source_namespace) const {
  return fmt::format("{}restic/{}/", root_, source_namespace);
}
std::string Layout::kopia_repository(std::string_view source_namespace) const {
  return fmt::format("{}kopia/{}/", root_, source_namespace);
}

std::optional<std::string> Layout::backup_name(std::string_view common_prefix) const {
  const std::string root = backups();
  if (!common_prefix.starts_with(root)) return std::nullopt;
  std::string_view name = common_prefix.substr(root.size());
  if (!name.ends_with('/')) return std::nullopt;
  name.remove_suffix(1);
  if (!valid_object_name(name)) return std::nullopt;
  return std::string(name);
}

Result<std::string> Layout::download_key(std::string_view target_kind, std::string_view target_name) const {
  if (!valid_object_name(target_name))
    return Error(ErrorCode::invalid, fmt::format("spec.target.name: \"{}\" is no object name", target_name));
  for (const BackupTarget& target : kBackupTargets)
    if (target.kind == target_kind) return key(target.file, target_name);
  for (const RestoreTarget& target : kRestoreTargets)
    if (target.kind == target_kind) return key(target.file, target_name);
  return Error(ErrorCode::invalid, fmt::format("spec.target.kind: \"{}\" is unknown", target_kind));
}

bool top_level_directory_allowed(std::string_view name) {
  return std::find(kTopLevel.begin(), kTopLevel.end(), name) != kTopLevel.end();
}

Status check_top_level(const Layout& layout, const std::vector<std::string>& common_prefixes) {
  std::vector<std::string> foreign;
  for (const std::string& common_prefix : common_prefixes) {
    std::string_view name = common_prefix;
    if (name.starts_with(layout.root())) name.remove_prefix(layout.root().size());
    name = trim_slashes(name);
    if (!name.empty() && !top_level_directory_allowed(name)) foreign.emplace_back(name);
  }
  if (foreign.empty()) return {};
  std::sort(foreign.begin(), foreign.end());
  return Error(ErrorCode::invalid,
               fmt::format("Backup store contains invalid top-level directories: [{}]", fmt::join(foreign, " ")),
               "give the location a prefix of its own, or move the foreign directories away");
}

bool valid_object_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (const char c : name) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
    if (c == '.' && !alphanumeric(before)) return false;
    if (before == '.' && !alphanumeric(c)) return false;
    before = c;
  }
  return alphanumeric(before);
}

std::string restic_identifier(const ResticIdentifierInput& in, std::string_view source_namespace) {
  if (!in.restic_repo_prefix.empty()) {
    std::string_view before = in.restic_repo_prefix;
    while (before.ends_with('/')) before.remove_suffix(1);
    return fmt::format("{}/{}", before, source_namespace);
  }
  std::string endpoint = in.s3_url;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (endpoint.empty()) endpoint = fmt::format("s3-{}.amazonaws.com", in.region);
  const std::string_view prefix = trim_slashes(in.prefix);
  return fmt::format("s3:{}/{}/{}{}restic/{}", endpoint, in.bucket, prefix, prefix.empty() ? "" : "/",
                     source_namespace);
}

}  // namespace holdfast::velero
