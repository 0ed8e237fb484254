#include "repo/test_corpus.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "crypto/sha256.h"

namespace holdfast::repo::testing {
namespace {

namespace fs = std::filesystem;

void write_file(const std::string& path, std::string_view bytes) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  CHECK(file.valid());
  CHECK(write_all(file.get(), bytes, path).ok());
}

std::string noise_bytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

void set_times(const std::string& path, int64_t seconds, long nanoseconds) {
  timespec times[2] = {};
  times[0].tv_sec = times[1].tv_sec = seconds;
  times[0].tv_nsec = times[1].tv_nsec = nanoseconds;
  CHECK(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/// Names that hold every pair of bytes a name may hold, 100 pairs in each.
void make_names(const std::string& path) {
  fs::create_directory(path);
  std::string name;
  int count = 0;
  for (int a = 1; a < 256; ++a) {
    for (int b = 1; b < 256; ++b) {
      if (a == '/' || b == '/') continue;
      name += static_cast<char>(a);
      name += static_cast<char>(b);
      if (++count % 100 == 0) write_file(path + "/" + std::exchange(name, ""), name);
    }
  }
  for (const char* odd : {"<&>", "\xe2\x80\xa8line", "\xc2\xa0nbsp", "-rf", " ", "...", "\\", "\"", "half\xe2\x82",
                          "\xf0\x9f\xab\xa8new", "\xed\xa0\x80surrogate", "\xef\xbf\xbd"}) {
    write_file(path + "/" + odd, odd);
  }
}

void make_sizes(const std::string& path, std::mt19937_64& random) {
  fs::create_directory(path);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{4096}, size_t{524287}, size_t{524288},
                            size_t{524289}, size_t{3'000'000}}) {
    write_file(fmt::format("{}/{}", path, size), noise_bytes(random, size));
  }
  write_file(path + "/zeros", std::string(2 << 20, '\0'));
  const UniqueFd sparse(::open((path + "/sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  CHECK(::ftruncate(sparse.get(), 20 << 20) == 0);
  CHECK(::pwrite(sparse.get(), "island", 6, (7 << 20) + 3) == 6);
  fs::create_hard_link(path + "/64", path + "/hard1");
  fs::create_hard_link(path + "/64", path + "/hard2");
}

void make_kinds(const std::string& path) {
  fs::create_directory(path);
  CHECK(::symlink("../sizes/64", (path + "/link").c_str()) == 0);
  CHECK(::symlink("dangling/<&>\xe2\x80\xa8\b\f\x01", (path + "/oddlink").c_str()) == 0);
  CHECK(::symlink("bad\xff\xfe", (path + "/badlink").c_str()) == 0);
  CHECK(::mkfifo((path + "/fifo").c_str(), 0640) == 0);
  fs::create_directory(path + "/empty");
  fs::create_directory(path + "/sticky");
  CHECK(::chmod((path + "/sticky").c_str(), 01777) == 0);
  for (const mode_t mode : {0400, 0444, 04755, 02755, 06711}) {
    const std::string file = fmt::format("{}/mode{:04o}", path, mode);
    write_file(file, "m");
    CHECK(::chmod(file.c_str(), mode) == 0);
  }
  if (!privileged()) return;
  write_file(path + "/owner", "o");
  CHECK(::chown((path + "/owner").c_str(), 12345, 54321) == 0);
  CHECK(::mknod((path + "/chr").c_str(), S_IFCHR | 0640, ::makedev(1, 3)) == 0);
  CHECK(::mknod((path + "/blk").c_str(), S_IFBLK | 0600, ::makedev(7, 200)) == 0);
}

void make_attributes(const std::string& path) {
  fs::create_directory(path);
  write_file(path + "/f", "x");
  const auto set = [&](const std::string& file, const char* name, std::string_view value) {
    // A file system without attributes has none to lose.
    CHECK(::lsetxattr(file.c_str(), name, value.data(), value.size(), 0) == 0 || errno == ENOTSUP);
  };
  set(path + "/f", "user.b", "");
  set(path + "/f", "user.a", std::string_view("\0\xff<>&", 5));
  set(path + "/f", "user.\xc3\xa9", std::string(300, 'e'));
  fs::create_directory(path + "/d");
  set(path + "/d", "user.dir", "1");
  if (!privileged()) return;
  CHECK(::symlink("f", (path + "/l").c_str()) == 0);
  set(path + "/l", "trusted.on.link", "v");
}

void make_times(const std::string& path) {
  fs::create_directory(path);
  const std::pair<const char*, std::pair<int64_t, long>> times[] = {{"epoch", {0, 0}},
                                                                    {"ns", {1'600'000'000, 123'456'789}},
                                                                    {"ms", {1'600'000'000, 120'000'000}},
                                                                    {"before", {-86'401, 999'999'999}},
                                                                    {"y2038", {int64_t{1} << 31, 1}},
                                                                    {"y2200", {7'258'118'400, 1}}};
  for (const auto& [name, time] : times) {
    write_file(path + "/" + name, name);
    set_times(path + "/" + name, time.first, time.second);
  }
}

std::string attributes_of(const std::string& path) {
  std::string list(1 << 16, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), list.data(), list.size());
  if (length <= 0) return "";
  list.resize(static_cast<size_t>(length));
  std::vector<std::string> shown;
  for (const std::string& name : split(list, '\0')) {
    if (name.empty()) continue;
    std::string value(1 << 16, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(size > 0 ? static_cast<size_t>(size) : 0);
    shown.push_back(name + "=" + to_base64(value));
  }
  std::ranges::sort(shown);
  return fmt::format("{}", fmt::join(shown, ","));
}

std::string content_of(const std::string& path, const struct stat& status, TreeProfile of) {
  if (S_ISLNK(status.st_mode)) {
    std::string target = fs::read_symlink(path).string();
    if (of == TreeProfile::restic_0_19 || is_utf8(target)) return target;
    std::string lossy;
    for (std::string_view rest = target; !rest.empty();) {
      const DecodedRune next = decode_utf8(rest);
      append_utf8(lossy, next.rune);
      rest.remove_prefix(next.length);
    }
    return lossy;
  }
  if (!S_ISREG(status.st_mode)) return std::to_string(S_ISDIR(status.st_mode) ? 0 : status.st_rdev);
  const std::string bytes = *read_file(path);
  return fmt::format("{} {} {}", bytes.size(), status.st_nlink, to_hex(crypto::sha256(bytes)));
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (fs::temp_directory_path() / "holdfast-test-XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

bool privileged() {
  return ::geteuid() == 0;
}

void make_corpus(const std::string& path, uint64_t seed) {
  std::mt19937_64 random(seed);
  fs::create_directories(path);
  make_names(path + "/names");
  make_sizes(path + "/sizes", random);
  make_kinds(path + "/kinds");
  make_attributes(path + "/xattrs");
  make_times(path + "/times");
  std::string deep = path + "/deep";
  for (int i = 0; i < 40; ++i) deep += "/d";
  fs::create_directories(deep);
  write_file(deep + "/leaf", "leaf");
  fs::create_directory(path + "/many");
  for (int i = 0; i < 300; ++i) write_file(fmt::format("{}/many/{:04}", path, i), noise_bytes(random, i % 7u));
  CHECK(::chmod((path + "/deep").c_str(), 0500) == 0);
  set_times(path + "/deep", 1'234'567'890, 987'654'321);
  set_times(path + "/kinds/link", 1'000'000'000, 5);
}

std::map<std::string, std::string> describe_tree(const std::string& path, TreeProfile of) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    struct stat status {};
    CHECK(::lstat(entry.path().c_str(), &status) == 0);
    const bool link = S_ISLNK(status.st_mode);
    const bool no_attributes = link && of == TreeProfile::restic_0_14;
    out[entry.path().string().substr(path.size())] =
        fmt::format("{:o} {}:{} {}.{:09} [{}] {}", status.st_mode, status.st_uid, status.st_gid, status.st_mtim.tv_sec,
                    status.st_mtim.tv_nsec, no_attributes ? "" : attributes_of(entry.path().string()),
                    content_of(entry.path().string(), status, of));
  }
  return out;
}

}  // namespace holdfast::repo::testing
