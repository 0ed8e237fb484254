#include "base/file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"

namespace holdfast {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(make_directories(directory_).ok()); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ = testing::TempDir() + "holdfast-file-" + random_hex(6);
};

TEST_F(FileTest, AtomicWriteReplacesWhole) {
  const std::string path = directory_ + "/f";
  ASSERT_TRUE(write_file_atomically(path, "old").ok());
  ASSERT_TRUE(write_file_atomically(path, std::string(100'000, 'x')).ok());
  EXPECT_EQ(*read_file(path), std::string(100'000, 'x'));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1) << "no temporary stays";
}

TEST_F(FileTest, ErrorsNameThePath) {
  const Error error = read_file(directory_ + "/none").error();
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_NE(error.message().find("/none"), std::string::npos);
  EXPECT_TRUE(write_file_atomically(directory_ + "/no/such/f", "x").is(ErrorCode::not_found));
}

TEST_F(FileTest, ReadStopsAtTheLimit) {
  ASSERT_TRUE(write_file_atomically(directory_ + "/f", "12345").ok());
  EXPECT_TRUE(read_file(directory_ + "/f", 4).is(ErrorCode::exhausted));
  EXPECT_TRUE(read_file(directory_ + "/f", 5).ok());
}

TEST_F(FileTest, MakesParents) {
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c").ok());
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c").ok());
  ASSERT_TRUE(write_file_atomically(directory_ + "/file", "").ok());
  EXPECT_FALSE(make_directories(directory_ + "/file/x").ok());
}

}  // namespace
}  // namespace holdfast
