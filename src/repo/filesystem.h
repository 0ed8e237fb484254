// Files of this machine, read for a backup and written by a restore.
//
// Everything works relative to an open directory and never follows a symbolic link, so a tree that changes meanwhile,
// or a snapshot with hostile names, cannot lead outside. Extended attributes and modes go through /proc/self/fd.
// Functions may be called from any thread; errors name the entry, not the whole path. Nothing here logs or retries.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "repo/tree.h"

namespace holdfast::repo {

using SharedFd = std::shared_ptr<const UniqueFd>;

/// Names of users and groups by number, each asked once (NSS); empty where there is none. Any thread.
class OwnerNames {
 public:
  [[nodiscard]] std::string user(uint32_t uid);
  [[nodiscard]] std::string group(uint32_t gid);

 private:
  std::mutex mutex_;
  std::map<uint32_t, std::string> users_, groups_;
};

// ---- reading

/// Opens a directory by path, links in the path followed. AT_FDCWD as parent: the working directory.
[[nodiscard]] Result<SharedFd> open_directory(int parent, const std::string& path);
/// Opens the directory of that name; `invalid` where it is something else.
[[nodiscard]] Result<SharedFd> open_directory_at(int parent, const std::string& name);
/// All names in raw byte order, without "." and "..".
[[nodiscard]] Result<std::vector<std::string>> directory_names(int directory);

struct ReadOptions {
  TreeProfile profile = kDefaultTreeProfile;
  bool with_atime = false;  ///< else atime is written as mtime
};
/// One entry without content and subtree: lstat, link target, extended attributes (in the order of listxattr).
/// not_found where it is gone. `status` is filled where given.
[[nodiscard]] Result<Node> read_node_at(int parent, const std::string& name, OwnerNames& owners,
                                        const ReadOptions& options, struct stat* status = nullptr);

/// A regular file's bytes from its beginning, holes known where the file system tells.
class FileReader {
 public:
  /// invalid where it is no regular file (any more).
  [[nodiscard]] static Result<FileReader> open_at(int parent, const std::string& name);
  [[nodiscard]] const struct stat& status() const { return status_; }
  /// Up to that many bytes behind the last ones; 0 only at the end. Holes are not read from the disk.
  [[nodiscard]] Result<size_t> read(std::span<char> out);
  /// How many zero bytes follow that need no reading; 0 where it is not known.
  [[nodiscard]] uint64_t hole_ahead();
  /// Passes bytes of the hole ahead.
  void skip(uint64_t count) { offset_ += count; }

 private:
  explicit FileReader(UniqueFd file) : file_(std::move(file)) {}
  void look_for_data();
  UniqueFd file_;
  struct stat status_ {};
  uint64_t offset_ = 0;
  uint64_t data_begin_ = 0, data_end_ = 0;  ///< the next stretch of data; holes are in front of data_begin_
  bool holes_known_ = true;
};

// ---- writing

struct WriteOptions {
  bool owners = false;   ///< set uid and gid (root may)
  bool xattrs = true;    ///< those that the file system or our rights refuse are errors of the entry
  bool replace = false;  ///< an entry in the way that is no directory is removed first; else `exists`
};

/// Makes the directory or takes the one that is there; opens it.
[[nodiscard]] Result<SharedFd> make_directory_at(int parent, const std::string& name, const WriteOptions& options);
/// Opens a directory below `root` by a relative path ("a/b/c", "" for root itself), no link followed.
[[nodiscard]] Result<SharedFd> open_below(const SharedFd& root, std::string_view path);
/// A new empty file of that size (a hole), readable by us alone until its metadata is set.
[[nodiscard]] Result<UniqueFd> create_file_at(int parent, const std::string& name, uint64_t size,
                                              const WriteOptions& options);
/// Writes at an offset; `sparse` leaves blocks of zeros out (the file must be new there).
enum class Holes { write, skip };
[[nodiscard]] Status write_at(int file, std::string_view bytes, uint64_t offset, Holes holes);
/// A symbolic link, fifo or device. unsupported for other types; denied where making devices needs root.
[[nodiscard]] Status create_special_at(int parent, const Node& node, const WriteOptions& options);
/// Another name of a file that was restored before.
[[nodiscard]] Status create_link_at(int from_parent, const std::string& from, int parent, const std::string& name,
                                    const WriteOptions& options);
/// Owner, extended attributes, mode and times of an entry, in the order in which they survive each other. All are
/// tried; the first failure is returned.
[[nodiscard]] Status apply_metadata_at(int parent, const std::string& name, const Node& node,
                                       const WriteOptions& options);

}  // namespace holdfast::repo
