// velero-backup.json and B-podvolumebackups.json.gz: the Backup and its PodVolumeBackups as files. Pure.
#pragma once

#include "velero/types.h"

namespace holdfast::velero {

/// The Backup in velero-backup.json. invalid: no JSON object, another kind, a wrong member, or no name.
[[nodiscard]] Result<Backup> decode_metadata(std::string_view text);
/// Indented by two spaces, kind first, no newline at the end.
[[nodiscard]] std::string encode_metadata(const Backup& backup);

/// The plain JSON of the list; `null` is an empty one. invalid names element and member.
[[nodiscard]] Result<std::vector<PodVolumeBackup>> decode_pod_volume_backups(std::string_view text);
/// One line and its newline, elements without kind and apiVersion; an empty list is "null".
[[nodiscard]] std::string encode_pod_volume_backups(std::vector<PodVolumeBackup> list);

}  // namespace holdfast::velero
