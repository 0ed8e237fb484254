#include "objstore/fs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/random.h"

namespace holdfast::objstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FsStoreTest : testing::Test {
  FsStoreTest() { std::filesystem::create_directory(root); }
  ~FsStoreTest() override { std::filesystem::remove_all(root); }
  std::shared_ptr<Store> open() { return open_directory({root}).value(); }
  std::vector<std::string> files(const std::string& below = "") {
    std::vector<std::string> out;
    const std::filesystem::path base = root + below;
    if (!std::filesystem::exists(base)) return out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
      if (entry.is_regular_file()) out.push_back(std::filesystem::relative(entry.path(), root).string());
    }
    std::ranges::sort(out);
    return out;
  }
  const std::string root = (std::filesystem::temp_directory_path() / ("hf-fs-" + random_hex(8))).string();
};

TEST_F(FsStoreTest, KeysArePathsOneToOne) {
  const auto store = open();
  ASSERT_TRUE(store->put("backups/b1/velero-backup.json", "{}").ok());
  ASSERT_TRUE(store->put_if_absent("config", "c").ok());
  EXPECT_THAT(files(), ElementsAre("backups/b1/velero-backup.json", "config"));
  EXPECT_EQ(read_file(root + "/backups/b1/velero-backup.json").value(), "{}");
  std::filesystem::create_directory(root + "/data");
  ASSERT_TRUE(write_file_atomically(root + "/data/foreign", "from another tool").ok());
  EXPECT_EQ(store->get("data/foreign").value(), "from another tool");
}

TEST_F(FsStoreTest, WantsADirectoryThatIsThere) {
  EXPECT_TRUE(open_directory({root + "/missing"}).is(ErrorCode::not_found));
  EXPECT_TRUE(open_directory({"relative"}).is(ErrorCode::invalid));
  ASSERT_TRUE(write_file_atomically(root + "/file", "x").ok());
  EXPECT_TRUE(open_directory({root + "/file"}).is(ErrorCode::invalid));
  EXPECT_TRUE(open_directory({root + "/made/deep", FsOptions::Missing::create}).ok());
}

TEST_F(FsStoreTest, SymbolicLinksLeadNowhere) {
  const std::string outside = root + "-outside";
  std::filesystem::create_directory(outside);
  ASSERT_TRUE(write_file_atomically(outside + "/secret", "s").ok());
  std::filesystem::create_directory_symlink(outside, root + "/dir");
  std::filesystem::create_symlink(outside + "/secret", root + "/file");
  const auto store = open();
  EXPECT_TRUE(store->get("dir/secret").is(ErrorCode::denied));
  EXPECT_TRUE(store->get("file").is(ErrorCode::denied));
  EXPECT_TRUE(store->put("dir/new", "x").is(ErrorCode::denied));
  EXPECT_TRUE(store->put("dir/sub/new", "x").is(ErrorCode::denied));
  EXPECT_TRUE(store->remove("dir/secret").is(ErrorCode::denied));
  EXPECT_THAT(list_all(*store, "").value(), IsEmpty());
  EXPECT_FALSE(list_all(*store, "dir/").ok());
  // A put replaces the link itself, never what it points to.
  EXPECT_TRUE(store->put("file", "mine").ok());
  EXPECT_EQ(read_file(outside + "/secret").value(), "s");
  EXPECT_EQ(store->get("file").value(), "mine");
  std::filesystem::remove_all(outside);
}

TEST_F(FsStoreTest, AKeyIsAnObjectOrAFolder) {
  const auto store = open();
  ASSERT_TRUE(store->put("a", "x").ok());
  const Status below = store->put("a/b", "y");
  EXPECT_TRUE(below.is(ErrorCode::invalid));
  EXPECT_THAT(below.error().message(), HasSubstr("'a' is an object"));
  ASSERT_TRUE(store->put("c/d", "x").ok());
  EXPECT_TRUE(store->put("c", "y").is(ErrorCode::invalid));
  EXPECT_EQ(store->get("c/d").value(), "x");
  EXPECT_TRUE(store->get("c").is(ErrorCode::not_found));
  EXPECT_TRUE(store->remove("c").ok());
}

TEST_F(FsStoreTest, LeftoversOfTheDeadAreNoObjectsAndGo) {
  ASSERT_TRUE(open()->put("k", "x").ok());
  const std::string leftover = root + "/.holdfast-tmp/dead";
  const std::string living = root + "/.holdfast-tmp/living";
  ASSERT_TRUE(write_file_atomically(leftover, "half").ok());
  const UniqueFd writer(::open(living.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(writer.get(), LOCK_EX), 0);
  const auto store = open();
  EXPECT_FALSE(std::filesystem::exists(leftover));
  EXPECT_TRUE(std::filesystem::exists(living));
  EXPECT_EQ(list_all(*store, "").value().size(), 1u);
  EXPECT_TRUE(store->get(".holdfast-tmp/living").is(ErrorCode::invalid));
  EXPECT_TRUE(store->put(".holdfast-tmp/x", "x").is(ErrorCode::invalid));
}

TEST_F(FsStoreTest, AKillAtAnyTimeLeavesWholeObjectsOnly) {
  const std::string old_bytes(3'000'000, 'o');
  const std::string new_bytes(3'000'000, 'n');
  ASSERT_TRUE(open()->put("k", old_bytes).ok());
  for (int round = 0; round < 20; ++round) {
    int started[2];
    ASSERT_EQ(::pipe(started), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto store = open();
      (void)!::write(started[1], "x", 1);
      while (true) {
        (void)store->put("k", new_bytes);
        (void)store->put_if_absent("n/" + random_hex(4), new_bytes);
        (void)store->put("k", old_bytes);
      }
    }
    char byte = 0;
    ASSERT_EQ(::read(started[0], &byte, 1), 1);
    // Somewhere in the loop: the moment depends on the machine, which is what is wanted.
    for (int spin = 0; spin < round * 40; ++spin) (void)files("/n");
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(started[0]);
    ::close(started[1]);
    const auto store = open();
    EXPECT_THAT(files("/.holdfast-tmp"), IsEmpty());
    const std::string seen = store->get("k").value();
    EXPECT_TRUE(seen == old_bytes || seen == new_bytes) << round;
    for (const ObjectMeta& meta : list_all(*store, "n/").value()) {
      EXPECT_EQ(meta.size, new_bytes.size()) << round;
      EXPECT_TRUE(store->remove(meta.key).ok());
    }
  }
}

TEST_F(FsStoreTest, AFullDiskIsExhaustedAndLosesNothing) {
  const auto store = open();
  ASSERT_TRUE(store->put("k", "old").ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto on_signal = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status put = store->put("k", std::string(5000, 'n'));
  const Status fresh = store->put_if_absent("fresh", std::string(5000, 'n'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, on_signal);
  EXPECT_TRUE(put.is(ErrorCode::exhausted)) << put.error().to_string();
  EXPECT_TRUE(fresh.is(ErrorCode::exhausted));
  EXPECT_EQ(store->get("k").value(), "old");
  EXPECT_THAT(files(), ElementsAre("k"));
}

TEST_F(FsStoreTest, RemovingAndPuttingInOneFolderDoNotDisturbEachOther) {
  const auto store = open();
  const auto churn = [&](const std::string& name) {
    for (int round = 0; round < 200; ++round) {
      const Status put = store->put("folder/deep/" + name, "x");
      ASSERT_TRUE(put.ok()) << put.error().to_string();
      ASSERT_TRUE(store->remove("folder/deep/" + name).ok());
    }
  };
  {
    const std::jthread one([&] { churn("one"); });
    const std::jthread two([&] { churn("two"); });
  }
  EXPECT_FALSE(std::filesystem::exists(root + "/folder"));
}

}  // namespace
}  // namespace holdfast::objstore
