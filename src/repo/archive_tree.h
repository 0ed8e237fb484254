// The snapshot's tree while it grows: directories whose entries are not all done, and the count of what went in.
// A directory is saved by whoever finishes its last entry, up to the root. Any thread. Internal to repo.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "repo/archive_file.h"
#include "repo/snapshot.h"
#include "repo/tree.h"

namespace holdfast::repo {

struct OpenDirectory;
using OpenDirectoryPtr = std::shared_ptr<OpenDirectory>;

/// A directory whose entries are not all done.
struct OpenDirectory {
  OpenDirectory() = default;
  ~OpenDirectory();
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;

  OpenDirectoryPtr parent;  ///< none: the root of the snapshot
  size_t slot = 0;          ///< our place among the parent's entries
  Node node;
  std::optional<Node> previous;
  std::vector<std::optional<Node>> entries;  ///< empty ones were left out
  std::atomic<size_t> open_entries{1};       ///< one more while the walk is inside
};

class ArchiveTree {
 public:
  /// Where a node goes once it is done.
  struct Place {
    OpenDirectoryPtr directory;
    size_t slot = 0;
  };

  /// `dry_run`: the saver saves nothing, so trees that are met twice are told apart here.
  ArchiveTree(const FileSaver& saver, TreeProfile profile, bool dry_run)
      : saver_(saver), profile_(profile), dry_run_(dry_run) {}

  [[nodiscard]] Place add_entry(const OpenDirectoryPtr& directory);
  /// A directory in that place, the walk inside.
  [[nodiscard]] OpenDirectoryPtr open(const Place& place, Node node, std::optional<Node> previous);
  /// Puts a node into its place, or leaves the place empty.
  [[nodiscard]] Status finish_entry(const Place& place, std::optional<Node> node, std::stop_token stop);
  /// The walk leaves; also: one entry less is open. Directories that are complete by that are saved, up to the root.
  [[nodiscard]] Status leave(OpenDirectoryPtr directory, std::stop_token stop);

  void count_file(const Node& node, const std::optional<Node>& previous);
  void count_content(const AddedBlobs& added);
  /// The root's id once it is saved.
  [[nodiscard]] std::optional<Id> root() const;
  /// Without times.
  [[nodiscard]] SnapshotSummary summary() const;

 private:
  Status finish_directory(OpenDirectory& directory, std::stop_token stop);

  const FileSaver& saver_;
  const TreeProfile profile_;
  const bool dry_run_;
  mutable std::mutex mutex_;  ///< guards what follows, and the entries of all directories
  SnapshotSummary summary_;
  AddedBlobs trees_;
  std::set<Id> dry_trees_;
  std::optional<Id> root_;
};

}  // namespace holdfast::repo
