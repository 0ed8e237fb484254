#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "repo/filesystem.h"

namespace holdfast::repo {
namespace {

std::string shown(const std::string& name) {
  return "\"" + go_quote(name, GoRelease::go1_26) + "\"";
}

/// openat without following links, and without touching the access time where we may.
int open_quietly(int parent, const char* name, int flags) {
  int file = ::openat(parent, name, flags | O_CLOEXEC | O_NOATIME);
  if (file < 0 && errno == EPERM) file = ::openat(parent, name, flags | O_CLOEXEC);
  return file;
}

template <typename Record, typename Get>
std::string look_up(Get get, char* Record::*field) {
  std::vector<char> space(1024);
  while (true) {
    Record record{};
    Record* found = nullptr;
    const int failed = get(&record, space.data(), space.size(), &found);
    if (failed == ERANGE && space.size() < (size_t{1} << 20)) {
      space.resize(space.size() * 2);
      continue;
    }
    return failed == 0 && found ? std::string(found->*field) : std::string();
  }
}

Result<std::string> read_link_at(int parent, const std::string& name, int64_t size) {
  std::string target(static_cast<size_t>(std::max<int64_t>(size, 255)) + 1, '\0');
  while (true) {
    const ssize_t length = ::readlinkat(parent, name.c_str(), target.data(), target.size());
    if (length < 0) return errno_error(errno, "read the link " + shown(name));
    if (static_cast<size_t>(length) < target.size()) {
      target.resize(static_cast<size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

/// The path under which calls without an *at form find an entry of an open directory.
std::string proc_path(int parent, const std::string& name) {
  return parent == AT_FDCWD ? name : fmt::format("/proc/self/fd/{}/{}", parent, name);
}

bool has_none(int error) {
  return error == ENOTSUP || error == ENODATA;
}

/// Calls `fill(buffer, size)` with a buffer that grows until the answer fits.
template <typename Fill>
Result<std::string> fill_xattr(Fill fill, const std::string& what) {
  std::string buffer(256, '\0');
  while (true) {
    ssize_t length = fill(buffer.data(), buffer.size());
    if (length >= 0) {
      buffer.resize(static_cast<size_t>(length));
      return buffer;
    }
    if (errno != ERANGE || buffer.size() > (size_t{1} << 20)) return errno_error(errno, what);
    length = fill(nullptr, 0);
    buffer.resize(std::max(buffer.size() * 2, length > 0 ? static_cast<size_t>(length) : 0));
  }
}

Status read_xattrs(int parent, const std::string& name, std::vector<ExtendedAttribute>& out) {
  const std::string path = proc_path(parent, name);
  const Result<std::string> list =
      fill_xattr([&](char* to, size_t size) { return ::llistxattr(path.c_str(), to, size); }, "");
  if (!list) {
    if (has_none(errno)) return {};
    return errno_error(errno, "list the extended attributes of " + shown(name));
  }
  for (size_t at = 0; at < list->size();) {
    ExtendedAttribute attribute{list->c_str() + at, {}};
    at += attribute.name.size() + 1;
    const char* key = attribute.name.c_str();
    Result<std::string> value =
        fill_xattr([&](char* to, size_t size) { return ::lgetxattr(path.c_str(), key, to, size); }, "");
    if (!value) {
      if (has_none(errno)) continue;  // removed since it was listed
      return errno_error(errno, fmt::format("read the extended attribute {} of {}", attribute.name, shown(name)));
    }
    attribute.value = std::move(value).value();
    out.push_back(std::move(attribute));
  }
  return {};
}

NodeType type_of(const struct stat& status) {
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return NodeType::file;
    case S_IFDIR:
      return NodeType::dir;
    case S_IFLNK:
      return NodeType::symlink;
    case S_IFBLK:
      return NodeType::dev;
    case S_IFCHR:
      return NodeType::chardev;
    case S_IFIFO:
      return NodeType::fifo;
    case S_IFSOCK:
      return NodeType::socket;
    default:
      return NodeType::irregular;
  }
}

Node node_of(const std::string& name, const struct stat& status, OwnerNames& owners, const ReadOptions& options) {
  Node node;
  node.name = name;
  node.type = type_of(status);
  node.mode = go_mode(status.st_mode);
  node.mtime = NodeTime::from(status.st_mtim);
  node.atime = options.with_atime ? NodeTime::from(status.st_atim) : node.mtime;
  node.ctime = NodeTime::from(status.st_ctim);
  node.uid = status.st_uid;
  node.gid = status.st_gid;
  node.user = owners.user(status.st_uid);
  node.group = owners.group(status.st_gid);
  node.inode = status.st_ino;
  node.device_id = status.st_dev;
  switch (node.type) {
    case NodeType::file:
      node.size = static_cast<uint64_t>(status.st_size);
      node.links = status.st_nlink;
      break;
    case NodeType::symlink:
      node.links = status.st_nlink;
      break;
    case NodeType::dev:
    case NodeType::chardev:
      node.links = status.st_nlink;
      node.device = status.st_rdev;
      break;
    default:
      break;
  }
  return node;
}

}  // namespace

std::string OwnerNames::user(uint32_t uid) {
  std::lock_guard lock(mutex_);
  const auto [at, fresh] = users_.try_emplace(uid);
  if (fresh) {
    at->second = look_up<passwd>([&](auto... rest) { return ::getpwuid_r(uid, rest...); }, &passwd::pw_name);
  }
  return at->second;
}

std::string OwnerNames::group(uint32_t gid) {
  std::lock_guard lock(mutex_);
  const auto [at, fresh] = groups_.try_emplace(gid);
  if (fresh) {
    at->second = look_up<::group>([&](auto... rest) { return ::getgrgid_r(gid, rest...); }, &::group::gr_name);
  }
  return at->second;
}

Result<SharedFd> open_directory(int parent, const std::string& path) {
  UniqueFd directory(open_quietly(parent, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY));
  if (!directory.valid()) return errno_error(errno, "open the directory " + path);
  return std::make_shared<const UniqueFd>(std::move(directory));
}

Result<SharedFd> open_directory_at(int parent, const std::string& name) {
  TRY(check_node_name(name));
  UniqueFd directory(open_quietly(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (directory.valid()) return std::make_shared<const UniqueFd>(std::move(directory));
  if (errno == ENOTDIR || errno == ELOOP) {
    return Error(ErrorCode::invalid, fmt::format("{} is no directory", shown(name)));
  }
  return errno_error(errno, "open the directory " + shown(name));
}

Result<std::vector<std::string>> directory_names(int directory) {
  // A descriptor of its own: fdopendir takes it over, and its position is not shared.
  const int own = open_quietly(directory, ".", O_RDONLY | O_DIRECTORY);
  if (own < 0) return errno_error(errno, "list a directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own), ::closedir);
  if (!stream) {
    ::close(own);
    return errno_error(errno, "list a directory");
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  }
  if (errno != 0) return errno_error(errno, "list a directory");
  std::ranges::sort(names);
  return names;
}

Result<Node> read_node_at(int parent, const std::string& name, OwnerNames& owners, const ReadOptions& options,
                          struct stat* status) {
  struct stat own {};
  if (::fstatat(parent, name.c_str(), &own, AT_SYMLINK_NOFOLLOW) != 0) return errno_error(errno, "stat " + shown(name));
  if (status) *status = own;
  Node node = node_of(name, own, owners, options);
  const bool link = node.type == NodeType::symlink;
  if (link) node.linktarget = TRY(read_link_at(parent, name, own.st_size));
  if (node.type != NodeType::socket && (!link || options.profile != TreeProfile::restic_0_14)) {
    TRY(read_xattrs(parent, name, node.extended_attributes));
  }
  return node;
}

Result<FileReader> FileReader::open_at(int parent, const std::string& name) {
  // Not blocking: a fifo that took the file's name meanwhile must not hold us.
  UniqueFd file(open_quietly(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return errno_error(errno, "open " + shown(name));
  FileReader reader(std::move(file));
  if (::fstat(reader.file_.get(), &reader.status_) != 0) return errno_error(errno, "stat " + shown(name));
  if (!S_ISREG(reader.status_.st_mode)) {
    return Error(ErrorCode::invalid, fmt::format("{} is no regular file any more", shown(name)));
  }
  // Only a file with fewer blocks than bytes can have holes worth asking for.
  reader.holes_known_ = reader.status_.st_blocks * 512 < reader.status_.st_size;
  if (reader.status_.st_size > (1 << 20)) ::posix_fadvise(reader.file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return reader;
}

/// Finds the stretch of data that ends behind the offset.
void FileReader::look_for_data() {
  if (!holes_known_ || offset_ < data_end_) return;
  const off_t begin = ::lseek(file_.get(), static_cast<off_t>(offset_), SEEK_DATA);
  if (begin < 0) {
    // ENXIO: no data up to the end. Anything else: this file system does not tell.
    struct stat now {};
    if (errno != ENXIO || ::fstat(file_.get(), &now) != 0) {
      holes_known_ = false;
      return;
    }
    data_begin_ = data_end_ = std::max(offset_, static_cast<uint64_t>(now.st_size));
    return;
  }
  const off_t end = ::lseek(file_.get(), begin, SEEK_HOLE);
  if (end <= begin) {
    holes_known_ = false;
    return;
  }
  data_begin_ = static_cast<uint64_t>(begin);
  data_end_ = static_cast<uint64_t>(end);
}

uint64_t FileReader::hole_ahead() {
  look_for_data();
  return holes_known_ && data_begin_ > offset_ ? data_begin_ - offset_ : 0;
}

Result<size_t> FileReader::read(std::span<char> out) {
  if (const uint64_t hole = hole_ahead(); hole > 0) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(hole, out.size()));
    std::memset(out.data(), 0, count);
    offset_ += count;
    return count;
  }
  while (true) {
    const ssize_t count = ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(errno, "read");
    offset_ += static_cast<uint64_t>(count);
    return static_cast<size_t>(count);
  }
}

}  // namespace holdfast::repo
