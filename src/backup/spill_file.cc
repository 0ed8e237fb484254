#include "backup/spill_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::backup {

Result<SpillFile> SpillFile::create(const std::string& directory) {
  const std::string where = directory.empty() ? "/var/tmp" : directory;
  UniqueFd file(::open(where.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return SpillFile(std::move(file));
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno_error(errno, where).in("temporary file");
  std::string name = where + "/holdfast-spill-XXXXXX";
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.valid()) return errno_error(errno, where).in("temporary file");
  if (::unlink(name.c_str()) != 0) return errno_error(errno, name).in("temporary file");
  return SpillFile(std::move(file));
}

Status SpillFile::append(std::string_view bytes) {
  TRY(write_all(file_.get(), bytes, "temporary file"));
  size_ += bytes.size();
  return {};
}

Result<std::string> SpillFile::read(uint64_t offset, uint64_t length) const {
  if (offset > size_ || length > size_ - offset) {
    return Error(ErrorCode::corrupt, fmt::format("temporary file has no bytes {}+{}", offset, length));
  }
  std::string bytes(length, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "temporary file");
    if (got == 0) return Error(ErrorCode::corrupt, "temporary file became shorter");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace holdfast::backup
