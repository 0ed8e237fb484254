#include "ledger/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/random.h"
#include "ledger/clutter.h"

namespace holdfast::ledger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ManifestTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_directories(root_).ok());
    ASSERT_EQ(*leave_clutter(root_), "start-1");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  Manifest read() {
    Result<Manifest> manifest = reader_.read(root_, {"MANIFEST.json"});
    EXPECT_TRUE(manifest.ok()) << manifest.error().message();
    return std::move(manifest).value();
  }
  std::string path(const char* name) const { return root_ + "/start-1/" + name; }
  const std::string root_ = testing::TempDir() + "ledger-manifest-" + random_hex(6);
  ManifestReader reader_;
};

TEST_F(ManifestTest, SurvivesItsJson) {
  const Manifest manifest = read();
  EXPECT_GT(manifest.size(), 25U);
  EXPECT_EQ(*manifest_from_json(to_json(manifest)), manifest);
  EXPECT_TRUE(manifest.at("start-1/holes.img").has_holes);
  EXPECT_EQ(manifest.at("start-1/second-name.bin").same_inode_as, "start-1/random-1.bin");
}

TEST_F(ManifestTest, AFreshReaderAgreesWithOneThatRemembers) {
  const Manifest first = read();
  ASSERT_EQ(*leave_clutter(root_), "start-2");
  const Manifest second = read();
  EXPECT_THAT(differences(second, *ManifestReader().read(root_, {}), Owners::compare), IsEmpty());
  EXPECT_GT(second.size(), first.size());
}

TEST_F(ManifestTest, SeesEveryKindOfChange) {
  const Manifest before = read();
  const auto change = [&](const std::function<void()>& act, const char* expected) {
    act();
    const std::vector<std::string> lines = differences(before, read(), Owners::compare);
    EXPECT_THAT(lines, testing::Contains(HasSubstr(expected)));
  };
  change([&] { ASSERT_TRUE(write_file_atomically(path("random-4.bin"), "other").ok()); }, "random-4.bin: mtime");
  change([&] { ASSERT_EQ(::chmod(path("random-5.bin").c_str(), 0600), 0); }, "random-5.bin: mode 600 instead of 644");
  change([&] { ASSERT_EQ(::unlink(path("fifo").c_str()), 0); }, "fifo: missing");
  change([&] { ASSERT_EQ(::truncate(path("random-6.bin").c_str(), 7), 0); }, "random-6.bin: mtime");
  change([&] { ASSERT_TRUE(write_file_atomically(path("extra"), "").ok()); }, "extra: not in the manifest");
  change([&] { ASSERT_EQ(::setxattr(path("random-2.bin").c_str(), "user.origin", "x", 1, 0), 0); }, "other attributes");
  change(
      [&] {
        ASSERT_EQ(::unlink(path("link").c_str()), 0);
        ASSERT_EQ(::symlink("elsewhere", path("link").c_str()), 0);
      },
      "link target elsewhere instead of random-1.bin");
  change(
      [&] {
        const std::string bytes = *read_file(path("holes.img"));
        std::filesystem::remove(path("holes.img"));
        ASSERT_TRUE(write_file_atomically(path("holes.img"), bytes, 0640).ok());
      },
      "its holes are filled");
}

TEST_F(ManifestTest, RefusesForeignJson) {
  EXPECT_TRUE(manifest_from_json(*json::parse(R"({"format":2,"entries":[]})")).is(ErrorCode::unsupported));
  EXPECT_TRUE(manifest_from_json(*json::parse(R"({"format":1,"entries":[{"path":"x"}]})")).is(ErrorCode::corrupt));
}

}  // namespace
}  // namespace holdfast::ledger
