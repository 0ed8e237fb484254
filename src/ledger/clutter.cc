#include "ledger/clutter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

namespace holdfast::ledger {

namespace {

Status write_random(const std::string& path, size_t size, unsigned mode = 0644) {
  std::vector<std::byte> bytes(size);
  random_bytes(bytes);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "create " + path);
  TRY(write_all(fd.get(), as_text(bytes), path));
  if (::fchmod(fd.get(), mode) != 0) return errno_error(errno, "chmod " + path);
  return {};
}

/// 16 MiB of nothing with a few islands in it.
Status write_sparse(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!fd.valid()) return errno_error(errno, "create " + path);
  if (::ftruncate(fd.get(), 16 << 20) != 0) return errno_error(errno, "extend " + path);
  const std::string island = random_hex(2048);
  for (const off_t at : {off_t{0}, off_t{5} << 20, (off_t{11} << 20) + 12288}) {
    if (::pwrite(fd.get(), island.data(), island.size(), at) != static_cast<ssize_t>(island.size())) {
      return errno_error(errno, "write " + path);
    }
  }
  return {};
}

Status set_times(const std::string& path, int64_t seconds, long nanoseconds) {
  const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return errno_error(errno, "set times of " + path);
  return {};
}

Status link_up(const std::string& directory) {
  if (::symlink("random-1.bin", (directory + "/link").c_str()) != 0 ||
      ::symlink("/nowhere/at/all", (directory + "/broken-link").c_str()) != 0) {
    return errno_error(errno, "make links in " + directory);
  }
  if (::link((directory + "/random-1.bin").c_str(), (directory + "/second-name.bin").c_str()) != 0) {
    return errno_error(errno, "make a hard link in " + directory);
  }
  if (::mkfifo((directory + "/fifo").c_str(), 0620) != 0) return errno_error(errno, "make a fifo in " + directory);
  return {};
}

Status set_attributes(const std::string& path) {
  const std::string binary("\0\1\2\xff", 4);
  for (const auto& [name, value] :
       {std::pair<const char*, std::string>{"user.origin", "ledger"}, {"user.binary", binary}}) {
    if (::setxattr(path.c_str(), name, value.data(), value.size(), 0) != 0 && errno != ENOTSUP) {
      return errno_error(errno, fmt::format("set attribute {} of {}", name, path));
    }
  }
  return {};
}

Status fill(const std::string& directory) {
  for (int i = 1; i <= 10; ++i) {
    TRY(write_random(fmt::format("{}/random-{}.bin", directory, i), 3'000'000));
  }
  TRY(write_sparse(directory + "/holes.img"));
  TRY(make_directories(directory + "/odd names/empty"));
  for (const char* name : {" leading space", "new\nline", "tab\there", "quote\"backslash\\", "caf\xc3\xa9",
                           "not-utf8-\xff\xfe", "-dash", "*", "$HOME", "%41"}) {
    TRY(write_random(directory + "/odd names/" + name, 100));
  }
  TRY(write_random(directory + "/odd names/empty-file", 0, 0444));
  TRY(write_random(directory + "/setgid.bin", 10, 02755));
  TRY(link_up(directory));
  TRY(set_attributes(directory + "/random-2.bin"));
  TRY(set_times(directory + "/random-3.bin", 1, 1));
  TRY(set_times(directory + "/broken-link", 1'234'567'890, 123'456'789));
  return set_times(directory + "/odd names", 1'000'000'000, 999'999'999);
}

}  // namespace

Result<std::string> leave_clutter(const std::string& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(".start-") && name.ends_with(".tmp")) std::filesystem::remove_all(entry.path(), error);
  }
  int number = 1;
  while (std::filesystem::exists(fmt::format("{}/start-{}", root, number), error)) ++number;
  const std::string name = fmt::format("start-{}", number);
  const std::string unfinished = fmt::format("{}/.{}.tmp", root, name);
  TRY(make_directories(unfinished));
  TRY(fill(unfinished));
  if (::rename(unfinished.c_str(), (root + "/" + name).c_str()) != 0) return errno_error(errno, "rename " + unfinished);
  return name;
}

}  // namespace holdfast::ledger
