// Backup: trees of this machine into a snapshot.
//
// One thread walks the directories in order and compares each entry with the parent snapshot; files that changed are
// read, cut and saved by a bounded group of workers; a directory's tree is saved by whoever finishes its last entry.
// The result depends only on the files, not on the timing. What cannot be read is left out and listed: the snapshot is
// made all the same, and the caller says so (restic's exit code 3). A failure of the repository ends the backup.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "repo/node_filter.h"
#include "repo/repository.h"
#include "repo/tree.h"

namespace holdfast::repo {

struct ArchiveResult;

struct ArchiveOptions {
  /// What to save. "." makes the directory's content the root tree; "a/b" and "/a/b" give their parts as directories.
  std::vector<std::string> paths;
  std::string working_directory;   ///< where relative paths begin; empty: the process's
  std::string hostname, username;  ///< empty: this machine's
  std::vector<std::string> tags;
  std::optional<Time> time;        ///< of the snapshot; else now
  std::optional<Snapshot> parent;  ///< to compare with; see find_parent
  bool ignore_ctime = false;       ///< a file with another ctime may be unchanged
  bool ignore_inode = false;       ///< ... and with another inode and ctime
  bool with_atime = false;
  bool one_file_system = false;       ///< mount points are saved as empty directories
  bool skip_if_unchanged = false;     ///< no snapshot where the root tree equals the parent's
  bool dry_run = false;               ///< read and count, save nothing
  std::vector<std::string> excludes;  ///< patterns, as recorded in the snapshot
  PathFilter filter;                  ///< the same patterns, and others, ready for use
  std::vector<std::string>
      exclude_if_present;  ///< "FILE" or "FILE:BEGINNING": directories with such a file are emptied
  std::optional<uint64_t> exclude_larger_than;
  std::optional<TreeProfile> profile;  ///< else by the newest snapshot (choose_tree_profile)
  size_t readers = 0;                  ///< files at once; 0: one for each core
  /// Asked when everything is stored, right before the snapshot: a failure ends the backup without one.
  std::function<Status(const ArchiveResult&)> before_snapshot = {};
};

/// Something that could not be saved, or was saved in part.
struct ItemError {
  std::string path;
  Error error;
};

struct ArchiveResult {
  std::optional<Snapshot> snapshot;  ///< with its id; missing for dry_run and skip_if_unchanged
  Id tree;
  SnapshotSummary summary;
  std::vector<ItemError> errors;  ///< by path
};

/// Saves the paths. The index must be loaded, the lock be held (shared). Progress: files and bytes, total unknown.
/// invalid for paths that cannot stand together; not_found where none of them exists; cancelled where `stop` asked or
/// the lock was lost.
[[nodiscard]] Result<ArchiveResult> archive(Repository& repository, const Lock& lock, const ArchiveOptions& options,
                                            Progress& progress, std::stop_token stop = {});

/// The newest snapshot of the same host and paths that is not younger than `not_after`.
[[nodiscard]] std::optional<Snapshot> find_parent(const std::vector<Snapshot>& snapshots, const std::string& hostname,
                                                  const std::vector<std::string>& paths, Time not_after);
/// The paths as the snapshot records them: absolute and clean.
[[nodiscard]] Result<std::vector<std::string>> snapshot_paths(const ArchiveOptions& options);
/// The profile of the newest snapshot; the default for an empty repository.
[[nodiscard]] TreeProfile choose_tree_profile(const std::vector<Snapshot>& snapshots);

}  // namespace holdfast::repo
