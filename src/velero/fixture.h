// For the tests of this module: the golden files of real Velero.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include "velero/gzip.h"

namespace holdfast::velero::fixture {

inline std::filesystem::path root() {
  return std::filesystem::path(HOLDFAST_SOURCE_DIR) / "tests/fixtures/velero";
}

/// A file's text, unpacked when its name ends in .gz. A missing file fails the test and gives "".
inline std::string text(const std::filesystem::path& relative) {
  Result<std::string> raw = read_file(root() / relative);
  EXPECT_TRUE(raw.ok()) << relative;
  if (!raw) return {};
  if (relative.extension() != ".gz") return *raw;
  Result<std::string> plain = gunzip(*raw);
  EXPECT_TRUE(plain.ok()) << relative;
  return plain ? *plain : std::string();
}

/// All files below the fixtures whose path ends so, sorted.
inline std::vector<std::filesystem::path> ending(const std::string& suffix) {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root()))
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix))
      out.push_back(std::filesystem::relative(entry.path(), root()));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace holdfast::velero::fixture
