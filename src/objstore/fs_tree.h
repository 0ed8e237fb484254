// The files below one directory, reached without following a symbolic link: what the fs driver stands on.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.h"
#include "objstore/store.h"

namespace holdfast::objstore {

/// "a/b/c" as the directories on the way and the last name.
struct KeyPath {
  std::vector<std::string> directories;
  std::string name;
};
[[nodiscard]] KeyPath path_of(const std::string& key);

enum class MissingDirectory { fail, create };

/// Opens the directory that holds a key's file, part by part. not_found where one is missing, denied at a symbolic
/// link, invalid where a part is a file. With `create`, missing ones are made and synced.
[[nodiscard]] Result<UniqueFd> open_parent(int root, const KeyPath& path, MissingDirectory missing,
                                           unsigned directory_mode);
/// Removes the directories on the way that are empty, deepest first; stops at the first that is not.
void prune_empty(int root, const KeyPath& path);

/// Visits the regular files below `root` whose path starts with the prefix, in the order of their paths.
struct TreeVisitor {
  /// False ends the walk.
  std::function<bool(ObjectMeta)> file;
  /// A directory ("a/b/") of which nothing need be seen.
  std::function<bool(const std::string&)> skip;
  /// Set where directories below the prefix are only named: called for those that hold a file; false ends the walk.
  std::function<bool(const std::string&)> directory;
};
[[nodiscard]] Status walk_tree(int root, const std::string& prefix, const TreeVisitor& visitor,
                               const std::stop_token& stop);

[[nodiscard]] ObjectMeta meta_of_file(std::string key, const struct stat& status);

/// The folder below the root for files in the making.
inline constexpr const char* kTemporaryFolder = ".holdfast-tmp";

/// A file in the making: locked as long as it is open, gone with this object unless it got a name.
class TemporaryFile {
 public:
  /// denied on a read-only file system, exhausted on a full one.
  [[nodiscard]] static Result<std::unique_ptr<TemporaryFile>> create(int root, unsigned file_mode,
                                                                     unsigned directory_mode);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] Status write(std::string_view bytes);
  [[nodiscard]] Status sync();
  /// Gives it a name in one step: over an old file, or `exists`.
  enum class Naming { replace, only_new };
  [[nodiscard]] Status name_as(int directory, const std::string& name, Naming naming);

 private:
  TemporaryFile(UniqueFd folder, std::string name, UniqueFd file)
      : folder_(std::move(folder)), name_(std::move(name)), file_(std::move(file)) {}
  UniqueFd folder_;
  std::string name_;
  UniqueFd file_;
};

/// Removes what dead writers left in the temporary folder.
void remove_leftovers(int root);

}  // namespace holdfast::objstore
