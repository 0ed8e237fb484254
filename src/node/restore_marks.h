// The files by which the node agent tells a waiting pod what became of its volume (velero.md 3.3):
// VOLUME/.velero/RESTORE-UID, empty: the data is complete; VOLUME/.velero/RESTORE-UID.failed: it will not come, with
// the reason as text.
//
// The first is Velero's, so that its own restore-helper waits for it too; the second is ours. A volume's content comes
// from a backup and is not trusted: links in it are never followed. Blocking; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::node {

/// Makes everything written into the volume so far last on its disk.
[[nodiscard]] Status sync_volume(const std::string& volume);
/// True where nothing lies in the volume but what storage itself puts there, and `.velero`.
[[nodiscard]] Result<bool> volume_is_empty(const std::string& volume);

/// Makes everything restored so far last on the disk, empties `.velero` of what the backup had in it, and writes the
/// mark of completeness.
[[nodiscard]] Status mark_restored(const std::string& volume, const std::string& restore_uid);
/// Writes the mark of failure with its reason.
[[nodiscard]] Status mark_failed(const std::string& volume, const std::string& restore_uid, const std::string& reason);

/// What the marks of one volume say.
struct VolumeMarks {
  bool restored = false;
  std::optional<std::string> failure;  ///< the reason
};
[[nodiscard]] Result<VolumeMarks> read_marks(const std::string& volume, const std::string& restore_uid);
/// Removes the marks' directory, where this process may; says whether it is gone.
[[nodiscard]] bool remove_marks(const std::string& volume);

}  // namespace holdfast::node
