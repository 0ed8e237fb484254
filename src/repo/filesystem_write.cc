#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "repo/filesystem.h"

namespace holdfast::repo {
namespace {

constexpr size_t kBlock = 4096;

std::string shown(const std::string& name) {
  return "\"" + go_quote(name, GoRelease::go1_26) + "\"";
}

Error exists_error(const std::string& name) {
  return Error(ErrorCode::exists, fmt::format("{} is in the way", shown(name)))
      .hinted("restore into an empty directory, or allow replacing with --overwrite always");
}

/// Runs `create` (0 or -1 with errno); where something is in the way and may be replaced, removes it and tries again.
template <typename Create>
Status create_entry(int parent, const std::string& name, const WriteOptions& options, std::string_view what,
                    Create create) {
  TRY(check_node_name(name));
  if (create() == 0) return {};
  if (errno != EEXIST) return errno_error(errno, fmt::format("{} {}", what, shown(name)));
  if (!options.replace) return exists_error(name);
  if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) {
    return errno_error(errno, "replace " + shown(name));
  }
  if (create() != 0) return errno_error(errno, fmt::format("{} {}", what, shown(name)));
  return {};
}

bool all_zero(std::string_view bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Status pwrite_all(int file, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

/// Keeps the first failure of several steps that are all tried.
class FirstFailure {
 public:
  void add(int result, std::string_view what, const std::string& name) {
    if (result != 0 && status_.ok()) status_ = errno_error(errno, fmt::format("{} {}", what, shown(name)));
  }
  [[nodiscard]] Status take() { return std::move(status_); }

 private:
  Status status_;
};

void apply_xattrs(const std::string& path, const Node& node, FirstFailure& failure) {
  for (const ExtendedAttribute& attribute : node.extended_attributes) {
    const std::string value = attribute.value.value_or("");
    const int result = ::lsetxattr(path.c_str(), attribute.name.c_str(), value.data(), value.size(), 0);
    failure.add(result, "set the extended attribute " + attribute.name + " of", node.name);
  }
}

}  // namespace

Result<SharedFd> make_directory_at(int parent, const std::string& name, const WriteOptions& options) {
  TRY(check_node_name(name));
  if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error(errno, "make the directory " + shown(name));
  }
  Result<SharedFd> directory = open_directory_at(parent, name);
  if (directory || !directory.is(ErrorCode::invalid)) return directory;
  if (!options.replace) return exists_error(name);
  if (::unlinkat(parent, name.c_str(), 0) != 0 || ::mkdirat(parent, name.c_str(), 0700) != 0) {
    return errno_error(errno, "replace " + shown(name) + " by a directory");
  }
  return open_directory_at(parent, name);
}

Result<SharedFd> open_below(const SharedFd& root, std::string_view path) {
  SharedFd at = root;
  if (path.empty()) return at;
  for (const std::string& name : split(path, '/')) {
    SharedFd next = TRY(open_directory_at(at->get(), name));
    at = std::move(next);
  }
  return at;
}

Result<UniqueFd> create_file_at(int parent, const std::string& name, uint64_t size, const WriteOptions& options) {
  UniqueFd file;
  TRY(create_entry(parent, name, options, "create", [&] {
    file.reset(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    return file.valid() ? 0 : -1;
  }));
  if (size > INT64_MAX) return Error(ErrorCode::corrupt, fmt::format("{} has an impossible size", shown(name)));
  if (size > 0 && ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
    return errno_error(errno, "set the size of " + shown(name));
  }
  return file;
}

Status write_at(int file, std::string_view bytes, uint64_t offset, Holes holes) {
  if (holes == Holes::write) return pwrite_all(file, bytes, offset);
  // Blocks of the file, not of the buffer: only whole ones can stay holes.
  size_t begin = 0, at = 0;
  while (at < bytes.size()) {
    const size_t length = std::min(bytes.size() - at, kBlock - static_cast<size_t>((offset + at) % kBlock));
    if (all_zero(bytes.substr(at, length))) {
      TRY(pwrite_all(file, bytes.substr(begin, at - begin), offset + begin));
      begin = at + length;
    }
    at += length;
  }
  return pwrite_all(file, bytes.substr(begin), offset + begin);
}

Status create_special_at(int parent, const Node& node, const WriteOptions& options) {
  const char* name = node.name.c_str();
  const auto device = static_cast<dev_t>(node.device);
  switch (node.type) {
    case NodeType::symlink:
      if (node.linktarget.empty() || node.linktarget.find('\0') != std::string::npos) {
        return Error(ErrorCode::corrupt, fmt::format("the link {} has no usable target", shown(node.name)));
      }
      return create_entry(parent, node.name, options, "make the link",
                          [&] { return ::symlinkat(node.linktarget.c_str(), parent, name); });
    case NodeType::fifo:
      return create_entry(parent, node.name, options, "make the fifo", [&] { return ::mkfifoat(parent, name, 0600); });
    case NodeType::dev:
      return create_entry(parent, node.name, options, "make the device",
                          [&] { return ::mknodat(parent, name, S_IFBLK | 0600, device); });
    case NodeType::chardev:
      return create_entry(parent, node.name, options, "make the device",
                          [&] { return ::mknodat(parent, name, S_IFCHR | 0600, device); });
    default:
      return Error(ErrorCode::unsupported,
                   fmt::format("{} is of a kind that cannot be restored ({})", shown(node.name),
                               node.type == NodeType::other ? node.other_type : to_string(node.type)));
  }
}

Status create_link_at(int from_parent, const std::string& from, int parent, const std::string& name,
                      const WriteOptions& options) {
  return create_entry(parent, name, options, "link",
                      [&] { return ::linkat(from_parent, from.c_str(), parent, name.c_str(), 0); });
}

Status apply_metadata_at(int parent, const std::string& name, const Node& node, const WriteOptions& options) {
  TRY(check_node_name(name));
  // A handle of the entry itself: what takes its name meanwhile is not touched.
  const UniqueFd handle(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!handle.valid() || ::fstat(handle.get(), &status) != 0) return errno_error(errno, "open " + shown(name));
  const bool link = node.type == NodeType::symlink;
  if (S_ISLNK(status.st_mode) != link) {
    return Error(ErrorCode::conflict, fmt::format("{} was replaced while it was restored", shown(name)));
  }
  const std::string path = fmt::format("/proc/self/fd/{}", handle.get());
  FirstFailure failure;
  if (options.owners) {
    failure.add(::fchownat(handle.get(), "", node.uid, node.gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW),
                "set the owner of", name);
  }
  if (options.xattrs) apply_xattrs(fmt::format("/proc/self/fd/{}/{}", parent, name), node, failure);
  if (!link) failure.add(::chmod(path.c_str(), permission_bits(node.mode)), "set the mode of", name);
  const timespec times[2] = {node.atime.to_timespec(), node.mtime.to_timespec()};
  failure.add(::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW), "set the times of", name);
  return failure.take();
}

}  // namespace holdfast::repo
