// Files of this machine: whole reads, atomic writes, owned descriptors. Blocking; errors name the path.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace holdfast {

/// Owns a file descriptor; closes it when it goes.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int descriptor) : descriptor_(descriptor) {}
  UniqueFd(UniqueFd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.descriptor_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool valid() const { return descriptor_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor = -1);

 private:
  int descriptor_ = -1;
};

/// The whole file; exhausted above `limit` bytes.
[[nodiscard]] Result<std::string> read_file(const std::string& path, size_t limit = size_t{1} << 30);
/// All bytes to a descriptor, through interruptions and short writes.
[[nodiscard]] Status write_all(int descriptor, std::string_view bytes, std::string_view name);
/// Replaces the file whole: temporary beside it, fsync, rename, fsync of the directory. After a crash it holds the old
/// bytes or the new ones.
[[nodiscard]] Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode = 0644);
/// mkdir -p; present directories are fine.
[[nodiscard]] Status make_directories(const std::string& path, unsigned mode = 0755);
/// fsync of a directory, which makes a rename or create in it last.
[[nodiscard]] Status sync_directory(const std::string& path);

}  // namespace holdfast
