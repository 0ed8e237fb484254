#include "objstore/fs_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace holdfast::objstore {

KeyPath path_of(const std::string& key) {
  KeyPath path;
  path.directories = split(key, '/');
  path.name = std::move(path.directories.back());
  path.directories.pop_back();
  return path;
}

static Error directory_error(int parent, const std::string& name) {
  const int reason = errno;
  struct stat status {};
  if ((reason == ENOTDIR || reason == ELOOP) && ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISLNK(status.st_mode)) {
      return Error(ErrorCode::denied, fmt::format("'{}' is a symbolic link, which the store does not follow", name));
    }
    return Error(ErrorCode::invalid, fmt::format("'{}' is an object, so that nothing can lie below it", name));
  }
  return errno_error(reason, fmt::format("open directory '{}'", name));
}

static Result<UniqueFd> open_child(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return directory_error(parent, name);
  return fd;
}

static Status make_child(int parent, const std::string& name, unsigned mode) {
  if (::mkdirat(parent, name.c_str(), mode) == 0) {
    if (::fsync(parent) != 0) return errno_error(errno, "fsync of a directory");
    return {};
  }
  if (errno == EEXIST) return {};
  return errno_error(errno, fmt::format("make directory '{}'", name));
}

Result<UniqueFd> open_parent(int root, const KeyPath& path, MissingDirectory missing, unsigned directory_mode) {
  UniqueFd at(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) return errno_error(errno, "open the store's directory");
  for (const std::string& name : path.directories) {
    Result<UniqueFd> next = open_child(at.get(), name);
    if (next.is(ErrorCode::not_found) && missing == MissingDirectory::create) {
      TRY(make_child(at.get(), name, directory_mode));
      next = open_child(at.get(), name);
    }
    at = TRY(std::move(next));
  }
  return at;
}

void prune_empty(int root, const KeyPath& path) {
  std::string whole;
  std::vector<std::string> prefixes;
  for (const std::string& name : path.directories) prefixes.push_back(whole += (whole.empty() ? "" : "/") + name);
  for (auto directory = prefixes.rbegin(); directory != prefixes.rend(); ++directory) {
    if (::unlinkat(root, directory->c_str(), AT_REMOVEDIR) != 0) return;
  }
}

ObjectMeta meta_of_file(std::string key, const struct stat& status) {
  const auto since = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  ObjectMeta meta{std::move(key), static_cast<uint64_t>(status.st_size), Time(since), {}};
  meta.etag = fmt::format("{:x}-{:x}-{:x}", status.st_ino, since.count(), status.st_size);
  return meta;
}

namespace {

struct Entry {
  std::string name;  ///< a directory's ends with '/': entries then sort as the paths below them do
  struct stat status {};
};

Result<std::vector<Entry>> entries_of(int directory) {
  UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return errno_error(errno, "open directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), &::closedir);
  if (!stream) return errno_error(errno, "read directory");
  (void)copy.release();
  std::vector<Entry> entries;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(stream.get());
    if (found == nullptr && errno != 0) return errno_error(errno, "read directory");
    if (found == nullptr) break;
    Entry entry{found->d_name};
    if (!check_key(entry.name)) continue;  // ".", "..", and names that no key can have
    if (::fstatat(directory, found->d_name, &entry.status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // just removed
    if (S_ISDIR(entry.status.st_mode)) entry.name += '/';
    if (S_ISDIR(entry.status.st_mode) || S_ISREG(entry.status.st_mode)) entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

class Walk {
 public:
  Walk(const std::string& prefix, const TreeVisitor& visitor, const std::stop_token& stop)
      : prefix_(prefix), visitor_(visitor), stop_(stop) {}

  /// False: the walk is over.
  Result<bool> visit(int directory, const std::string& path) {
    if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    for (Entry& entry : TRY(entries_of(directory))) {
      if (path.empty() && entry.name == std::string(kTemporaryFolder) + "/") continue;
      if (!TRY(visit_entry(directory, path + entry.name, entry))) return false;
    }
    return true;
  }

 private:
  Result<bool> visit_entry(int directory, const std::string& path, Entry& entry) {
    if (!check_key(std::string_view(path).substr(0, path.size() - (path.ends_with('/') ? 1 : 0)))) return true;
    const bool inside = path.starts_with(prefix_);
    if (!entry.name.ends_with('/')) {
      return !inside || visitor_.file(meta_of_file(path, entry.status));
    }
    if ((!inside && !prefix_.starts_with(path)) || visitor_.skip(path)) return true;
    entry.name.pop_back();
    Result<UniqueFd> child = open_child(directory, entry.name);
    if (child.is(ErrorCode::not_found)) return true;  // just removed
    if (!child) return std::move(child).error();
    if (!visitor_.directory || !inside) return visit(child->get(), path);
    if (!TRY(holds_file(child->get()))) return true;
    return visitor_.directory(path);
  }

  Result<bool> holds_file(int directory) {
    const std::vector<Entry> entries = TRY(entries_of(directory));
    for (const Entry& entry : entries) {
      if (!entry.name.ends_with('/')) return true;
    }
    for (const Entry& entry : entries) {
      Result<UniqueFd> child = open_child(directory, entry.name.substr(0, entry.name.size() - 1));
      if (child.is(ErrorCode::not_found)) continue;
      if (!child) return std::move(child).error();
      if (TRY(holds_file(child->get()))) return true;
    }
    return false;
  }

  const std::string& prefix_;
  const TreeVisitor& visitor_;
  const std::stop_token& stop_;
};

}  // namespace

Status walk_tree(int root, const std::string& prefix, const TreeVisitor& visitor, const std::stop_token& stop) {
  KeyPath path = path_of(prefix);
  Result<UniqueFd> start = open_parent(root, path, MissingDirectory::fail, 0);
  if (start.is(ErrorCode::not_found) || start.is(ErrorCode::invalid)) return {};  // missing, or a file: empty
  if (!start) return std::move(start).error();
  Walk walk(prefix, visitor, stop);
  TRY(walk.visit(start->get(), prefix.substr(0, prefix.size() - path.name.size())));
  return {};
}

}  // namespace holdfast::objstore
