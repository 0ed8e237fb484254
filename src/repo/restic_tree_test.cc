// Debian's restic 0.14 and this engine over the same trees and repositories. Fails without restic where CI=true; else
// it says that restic is missing and is skipped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/process.h"
#include "objstore/fs.h"
#include "repo/archive.h"
#include "repo/restore.h"
#include "repo/test_corpus.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

constexpr const char* kPassword = "peer";

class ResticTree : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<CommandOutput> version = run_command({"restic", "version"});
    if (version && version->code == 0) return;
    const char* ci = std::getenv("CI");
    if (ci && std::string(ci) == "true") FAIL() << "restic is not installed";
    GTEST_SKIP() << "restic is not installed (Debian package restic)";
  }

  /// restic with the working directory, on a repository of this test.
  std::string restic(const std::string& repository, const std::string& directory, std::vector<std::string> words) {
    std::vector<std::string> argv = {"env", "-C", directory, "restic", "--no-cache", "-r", scratch_.path(repository)};
    argv.insert(argv.end(), words.begin(), words.end());
    const char* path = std::getenv("PATH");
    const std::vector<std::string> environment = {std::string("PATH=") + (path ? path : "/usr/bin:/bin"),
                                                  std::string("RESTIC_PASSWORD=") + kPassword, "HOME=/nonexistent",
                                                  "TZ=" + zone_};
    const Result<CommandOutput> output = run_command(argv, {}, std::chrono::minutes(5), {}, environment);
    if (!output) {
      ADD_FAILURE() << output.error().to_string();
      return "";
    }
    EXPECT_EQ(output->code, 0) << output->err;
    return output->out;
  }

  void use_zone(const std::string& zone) {
    zone_ = zone;
    ::setenv("TZ", zone.c_str(), 1);
    ::tzset();
  }

  std::unique_ptr<Repository> open(const std::string& repository) {
    const auto store = objstore::open_directory({.path = scratch_.path(repository)}).value();
    auto opened = Repository::open(store, crypto::Secret::of(kPassword)).value();
    EXPECT_TRUE(opened->load_index().ok());
    return opened;
  }

  /// Our backup of a directory's content, every file read.
  Id ours(const std::string& repository, const std::string& directory) {
    const auto opened = open(repository);
    const auto lock = opened->lock({}).value();
    ArchiveOptions options;
    options.paths = {"."};
    options.working_directory = directory;
    options.hostname = "peer";
    options.profile = TreeProfile::restic_0_14;
    NoProgress progress;
    const Result<ArchiveResult> result = archive(*opened, *lock, options, progress);
    EXPECT_TRUE(result.ok());
    return result ? result->tree : Id{};
  }
  Id theirs(const std::string& repository, const std::string& directory) {
    restic(repository, directory, {"backup", "--force", "--host", "peer", "-q", "."});
    return newest(repository).tree;
  }
  Snapshot newest(const std::string& repository) { return open(repository)->snapshots().value().back(); }

  void expect_same_tree_both_orders(const std::string& directory) {
    restic("first", "/", {"init", "-q"});
    const Id we = ours("first", directory), they = theirs("first", directory);
    EXPECT_EQ(we.hex(), they.hex());
    restic("second", "/", {"init", "-q"});
    const Id before = theirs("second", directory);
    EXPECT_EQ(before.hex(), ours("second", directory).hex());
  }

  TemporaryDirectory scratch_;
  std::string zone_ = "UTC";
};

TEST_F(ResticTree, TheSameTreeHasTheSameIdWhoeverComesFirst) {
  testing::make_corpus(scratch_.path("data"), 11);
  use_zone("America/New_York");
  expect_same_tree_both_orders(scratch_.path("data"));
  use_zone("UTC");
}

/// Names made of every rune there is: the table of printable ones is that of restic's Go release.
TEST_F(ResticTree, EveryRuneInANameIsSpelledAsResticSpellsIt) {
  fs::create_directories(scratch_.path("data"));
  std::string name;
  int count = 0;
  for (char32_t rune = 1; rune <= 0x10ffff; ++rune) {
    if (rune == '/' || (rune >= 0xd800 && rune < 0xe000)) continue;
    append_utf8(name, rune);
    if (++count % 60 != 0 && rune != 0x10ffff) continue;
    const UniqueFd file(::open(scratch_.path("data/" + std::exchange(name, "")).c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_TRUE(file.valid());
  }
  restic("first", "/", {"init", "-q"});
  const Id we = ours("first", scratch_.path("data"));
  EXPECT_EQ(we.hex(), theirs("first", scratch_.path("data")).hex());
}

TEST_F(ResticTree, EachRestoresWhatTheOtherSaved) {
  testing::make_corpus(scratch_.path("data"), 13);
  const auto expected = testing::describe_tree(scratch_.path("data"), TreeProfile::restic_0_14);
  restic("repo", "/", {"init", "-q"});
  ours("repo", scratch_.path("data"));
  restic("repo", "/", {"restore", "latest", "-q", "--target", scratch_.path("by-restic")});
  EXPECT_EQ(testing::describe_tree(scratch_.path("by-restic"), TreeProfile::restic_0_14), expected);
  restic("repo", "/", {"check", "--read-data"});

  restic("other", "/", {"init", "-q"});
  theirs("other", scratch_.path("data"));
  const auto opened = open("other");
  RestoreOptions options;
  options.target = scratch_.path("by-us");
  options.verify = true;
  NoProgress progress;
  const Result<RestoreResult> restored = restore(*opened, newest("other"), options, progress);
  ASSERT_TRUE(restored.ok()) << restored.error().to_string();
  EXPECT_TRUE(restored->errors.empty());
  EXPECT_EQ(testing::describe_tree(scratch_.path("by-us"), TreeProfile::restic_0_14), expected);
}

/// Years outside 0 to 9999 exist on file systems with 64-bit times only; elsewhere they are clamped before we see them.
TEST_F(ResticTree, TimesOfFarYearsAreMovedAsResticMovesThem) {
  const std::string directory = scratch_.path("data");
  fs::create_directories(directory);
  for (const int64_t seconds :
       {int64_t{253'402'300'799}, int64_t{253'402'300'800}, int64_t{300'000'000'123}, int64_t{951'782'400'000},
        int64_t{-62'167'219'200}, int64_t{-62'167'219'201}, int64_t{-100'000'000'000}}) {
    const std::string file = directory + "/" + std::to_string(seconds);
    const UniqueFd made(::open(file.c_str(), O_WRONLY | O_CREAT, 0600));
    timespec times[2] = {};
    times[0].tv_sec = times[1].tv_sec = seconds;
    ASSERT_EQ(::futimens(made.get(), times), 0);
  }
  restic("first", "/", {"init", "-q"});
  const Id we = ours("first", directory);
  EXPECT_EQ(we.hex(), theirs("first", directory).hex());
}

}  // namespace
}  // namespace holdfast::repo
