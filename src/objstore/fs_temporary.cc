#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <dirent.h>

#include "base/random.h"
#include "objstore/fs_tree.h"

namespace holdfast::objstore {

static Result<UniqueFd> open_folder(int root, unsigned directory_mode) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd folder(::openat(root, kTemporaryFolder, flags));
  if (folder.valid()) return folder;
  if (errno == ENOENT && (::mkdirat(root, kTemporaryFolder, directory_mode) == 0 || errno == EEXIST)) {
    folder.reset(::openat(root, kTemporaryFolder, flags));
  }
  if (!folder.valid()) return errno_error(errno, "open the folder for temporary files");
  return folder;
}

Result<std::unique_ptr<TemporaryFile>> TemporaryFile::create(int root, unsigned file_mode, unsigned directory_mode) {
  while (true) {
    UniqueFd folder = TRY(open_folder(root, directory_mode));
    std::string name = random_hex(16);
    UniqueFd file(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode));
    if (!file.valid() && (errno == EEXIST || errno == ENOENT)) continue;
    if (!file.valid()) return errno_error(errno, "create a temporary file");
    // Between creation and lock somebody who cleans up may have taken it for a leftover. Where there are no locks
    // (flock fails), nobody cleans up either.
    struct stat status {};
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(file.get(), &status) == 0 && status.st_nlink == 0) {
      continue;
    }
    return std::unique_ptr<TemporaryFile>(new TemporaryFile(std::move(folder), std::move(name), std::move(file)));
  }
}

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

Status TemporaryFile::write(std::string_view bytes) {
  return write_all(file_.get(), bytes, "temporary file");
}

Status TemporaryFile::sync() {
  if (::fsync(file_.get()) != 0) return errno_error(errno, "fsync");
  return {};
}

/// link(2) fails where the name exists, whole and at once; rename with RENAME_NOREPLACE is for file systems without
/// links.
static int name_only_new(int folder, const std::string& from, int directory, const std::string& to) {
  if (::linkat(folder, from.c_str(), directory, to.c_str(), 0) == 0) return 0;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) return errno;
  if (::renameat2(folder, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  return errno == EINVAL ? ENOTSUP : errno;
}

Status TemporaryFile::name_as(int directory, const std::string& name, Naming naming) {
  int reason = 0;
  if (naming == Naming::only_new) {
    reason = name_only_new(folder_.get(), name_, directory, name);
  } else if (::renameat(folder_.get(), name_.c_str(), directory, name.c_str()) == 0) {
    name_.clear();
  } else {
    reason = errno;
  }
  if (reason == EISDIR || reason == ENOTEMPTY) {
    return Error(ErrorCode::invalid, "other objects lie below that key, so that it cannot be an object itself");
  }
  if (reason == EEXIST) return Error(ErrorCode::exists, "the object exists");
  if (reason != 0) return errno_error(reason, "name the new file");
  if (::fsync(directory) != 0) return errno_error(errno, "fsync of a directory");
  return {};
}

void remove_leftovers(int root) {
  const UniqueFd folder(::openat(root, kTemporaryFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return;
  UniqueFd copy(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), &::closedir);
  if (!stream) return;
  (void)copy.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const UniqueFd file(::openat(folder.get(), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(folder.get(), entry->d_name, 0);
  }
}

}  // namespace holdfast::objstore
