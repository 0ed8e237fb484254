// The directories from a root down to where a walk stands. Only the innermost few and the root are held open; the ones
// between are opened again when the walk comes back to them, and proved to be the same. So a tree of any depth costs a
// handful of descriptors. One thread.
#pragma once

#include <string>
#include <vector>

#include "repo/filesystem.h"

namespace holdfast::repo {

class DirectoryTrail {
 public:
  static constexpr size_t kHeldOpen = 12;

  explicit DirectoryTrail(SharedFd root);

  /// How many directories below the root the walk stands.
  [[nodiscard]] size_t depth() const { return levels_.size() - 1; }
  /// The innermost directory. A failure to come back to it: conflict where another one is in its place by now.
  [[nodiscard]] Result<SharedFd> top();
  /// Steps into a directory of the innermost one that the caller has opened by that name.
  void enter(const std::string& name, SharedFd directory);
  /// Steps back. Not at the root.
  void leave();

 private:
  struct Level {
    std::string name;
    SharedFd directory;  ///< empty while it is closed
    dev_t device = 0;
    ino_t inode = 0;
  };
  static Level level_of(const std::string& name, SharedFd directory);
  static bool same(const Level& level, const SharedFd& directory);
  Result<SharedFd> reopen_by_name();

  std::vector<Level> levels_;
  SharedFd left_;       ///< the directory we came from: a way back that no renaming above it breaks
  size_t left_by_ = 0;  ///< how far it is below the innermost one
};

}  // namespace holdfast::repo
