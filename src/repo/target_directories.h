// The directories that a restore makes: known by number, made when they are first needed, opened again by number, and
// finished (owner, mode, times) from the inside out when everything in them is done. Of a tree of any depth only a
// handful is open. One thread. Internal to repo.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "repo/directory_trail.h"
#include "repo/filesystem.h"

namespace holdfast::repo {

class TargetDirectories {
 public:
  static constexpr size_t kRoot = 0;
  TargetDirectories(SharedFd root, const WriteOptions& options);

  /// A directory that may have to be made. Parents come before their children.
  [[nodiscard]] size_t declare(size_t parent, Node node);
  /// Opens the directory; makes it and those above it where they are not there yet.
  [[nodiscard]] Result<SharedFd> open(size_t directory);
  /// The walk leaves it: one that was not needed is no directory of this restore. Innermost first.
  void leave(size_t directory);
  /// How many were made.
  [[nodiscard]] size_t made() const { return made_; }
  /// "/a/b": the path in the snapshot's part that is restored; "" for the root.
  [[nodiscard]] std::string path(size_t directory) const;

  using NoteFailure = std::function<void(const std::string& path, const Error& error)>;
  /// Sets the metadata of all that were made. Last: an entry that is made changes its directory's times, and a mode may
  /// close it.
  void finish(const NoteFailure& note);

 private:
  struct Directory {
    size_t parent = 0, depth = 0;
    Node node = {};
    bool made = false;
  };
  const WriteOptions options_;
  std::vector<Directory> directories_;
  size_t made_ = 0;
  DirectoryTrail trail_;
  std::vector<size_t> here_{kRoot};  ///< the numbers of the trail's directories
};

}  // namespace holdfast::repo
