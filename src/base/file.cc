#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.h"

namespace holdfast {

void UniqueFd::reset(int descriptor) {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, "open " + path);
  std::string out;
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n == 0) return out;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, "read " + path);
    }
    if (out.size() + static_cast<size_t>(n) > limit) {
      return Error(ErrorCode::exhausted, fmt::format("{} is larger than {} bytes", path, limit));
    }
    out.append(buffer, static_cast<size_t>(n));
  }
}

Status write_all(int descriptor, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, fmt::format("write {}", name));
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

static std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_directory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, "open " + path);
  if (::fsync(fd.get()) != 0) return errno_error(errno, "fsync " + path);
  return {};
}

Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string temporary = path + ".tmp-" + random_hex(8);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return errno_error(errno, "create " + temporary);
  const auto finish = [&]() -> Status {
    TRY(write_all(fd.get(), bytes, temporary));
    if (::fsync(fd.get()) != 0) return errno_error(errno, "fsync " + temporary);
    fd.reset();
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_error(errno, "rename to " + path);
    return sync_directory(parent_of(path));
  };
  Status status = finish();
  if (!status) ::unlink(temporary.c_str());
  return status;
}

Status make_directories(const std::string& path, unsigned mode) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return errno_error(errno, "make directory " + part);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno_error(errno, "make directory " + path);
  if (!S_ISDIR(status.st_mode)) return errno_error(ENOTDIR, "make directory " + path);
  return {};
}

}  // namespace holdfast
