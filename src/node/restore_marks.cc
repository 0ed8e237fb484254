#include "node/restore_marks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "velero/names.h"

namespace holdfast::node {

namespace {

constexpr std::string_view kFailedSuffix = ".failed";
constexpr size_t kReasonMax = 4096;

const std::string kDirectory(velero::kDoneDirectory);

std::string directory_of(const std::string& volume) {
  return volume + "/" + kDirectory;
}

Status check_uid(const std::string& uid) {
  if (!uid.empty() && uid != "." && uid != ".." && uid.find('/') == std::string::npos) return {};
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is no uid of a Restore", uid));
}

Result<UniqueFd> open_volume(const std::string& volume) {
  UniqueFd fd(::open(volume.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, volume);
  return fd;
}

/// An empty `.velero`: whatever stands in its place goes, a link by itself and not what it points to.
Result<UniqueFd> fresh_directory(const std::string& volume, const UniqueFd& root) {
  std::error_code failure;
  std::filesystem::remove_all(directory_of(volume), failure);
  if (failure) return errno_error(failure.value(), directory_of(volume));
  if (::mkdirat(root.get(), kDirectory.c_str(), 0755) != 0) return errno_error(errno, directory_of(volume));
  UniqueFd fd(::openat(root.get(), kDirectory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, directory_of(volume));
  // The waiting container may run as anybody; our umask must not keep it out.
  if (::fchmod(fd.get(), 0755) != 0) return errno_error(errno, directory_of(volume));
  return fd;
}

Status write_mark(const UniqueFd& directory, const std::string& name, std::string_view text) {
  const std::string temporary = name + ".new";
  const UniqueFd fd(
      ::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno_error(errno, temporary);
  // A full disk, the likely reason of a failure, must not keep the mark away: an empty one still ends the wait.
  const Status written = write_all(fd.get(), text, temporary);
  if (!written && !written.is(ErrorCode::exhausted)) return written;
  if (::fchmod(fd.get(), 0644) != 0 || ::fsync(fd.get()) != 0) return errno_error(errno, temporary);
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    return errno_error(errno, name);
  }
  if (::fsync(directory.get()) != 0) return errno_error(errno, name);
  return {};
}

}  // namespace

Status sync_volume(const std::string& volume) {
  const UniqueFd root = TRY(open_volume(volume));
  if (::syncfs(root.get()) != 0) return errno_error(errno, volume);
  return {};
}

Result<bool> volume_is_empty(const std::string& volume) {
  std::error_code failure;
  for (std::filesystem::directory_iterator at(volume, failure), end; !failure && at != end; at.increment(failure)) {
    const std::string name = at->path().filename();
    if (name != "lost+found" && name != ".snapshot" && name != kDirectory) return false;
  }
  if (failure) return errno_error(failure.value(), volume);
  return true;
}

Status mark_restored(const std::string& volume, const std::string& restore_uid) {
  TRY(check_uid(restore_uid));
  const UniqueFd root = TRY(open_volume(volume));
  if (::syncfs(root.get()) != 0) return errno_error(errno, volume);
  const UniqueFd directory = TRY(fresh_directory(volume, root));
  return write_mark(directory, restore_uid, {});
}

Status mark_failed(const std::string& volume, const std::string& restore_uid, const std::string& reason) {
  TRY(check_uid(restore_uid));
  const UniqueFd root = TRY(open_volume(volume));
  const UniqueFd directory = TRY(fresh_directory(volume, root));
  return write_mark(directory, restore_uid + std::string(kFailedSuffix), reason.substr(0, kReasonMax));
}

Result<VolumeMarks> read_marks(const std::string& volume, const std::string& restore_uid) {
  TRY(check_uid(restore_uid));
  VolumeMarks out;
  const std::string done = directory_of(volume) + "/" + restore_uid;
  struct stat status {};
  if (::lstat(done.c_str(), &status) == 0) {
    out.restored = S_ISREG(status.st_mode);
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return errno_error(errno, done);
  }
  Result<std::string> reason = read_file(done + std::string(kFailedSuffix), kReasonMax);
  if (reason.ok()) {
    out.failure = std::move(*reason);
  } else if (!reason.is(ErrorCode::not_found)) {
    return std::move(reason).error();
  }
  return out;
}

bool remove_marks(const std::string& volume) {
  std::error_code failure;
  std::filesystem::remove_all(directory_of(volume), failure);
  return !failure;
}

}  // namespace holdfast::node
