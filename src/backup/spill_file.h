// An unnamed temporary file for what does not fit into memory: it has no directory entry, so that nothing is left
// behind however the program ends. append by one thread at a time; read from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"

namespace holdfast::backup {

class SpillFile {
 public:
  /// `directory` is where it lives; empty: $TMPDIR is not asked, /var/tmp is taken.
  [[nodiscard]] static Result<SpillFile> create(const std::string& directory);
  [[nodiscard]] Status append(std::string_view bytes);
  /// Exactly that part; corrupt where it lies outside the file.
  [[nodiscard]] Result<std::string> read(uint64_t offset, uint64_t length) const;
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  explicit SpillFile(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
  uint64_t size_ = 0;
};

}  // namespace holdfast::backup
