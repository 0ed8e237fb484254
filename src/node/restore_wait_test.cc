#include "node/restore_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/random.h"
#include "node/restore_marks.h"

namespace holdfast::node {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class RestoreWaitTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ + "/data");
    fs::create_directories(root_ + "/logs");
  }
  void TearDown() override { fs::remove_all(root_); }
  RestoreWait wait(Duration limit = std::chrono::minutes(1)) {
    return {.root = root_, .restore_uid = "uid-1", .limit = limit, .clock = &clock_};
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(make_directories(fs::path(path).parent_path().string()).ok());
    ASSERT_TRUE(write_file_atomically(path, text).ok());
  }
  const std::string root_ = testing::TempDir() + "restore-wait-" + random_hex(6);
  FakeClock clock_;
};

TEST_F(RestoreWaitTest, EndsWhenEveryVolumeIsMarkedAndCleansUp) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  ASSERT_TRUE(mark_restored(root_ + "/logs", "uid-1").ok());
  const Status status = wait_for_volumes(wait(), {});
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_FALSE(fs::exists(root_ + "/data/.velero"));
  EXPECT_FALSE(fs::exists(root_ + "/logs/.velero"));
}

TEST_F(RestoreWaitTest, LeavesTheMarksThatOtherPodsWaitFor) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  ASSERT_TRUE(mark_restored(root_ + "/logs", "uid-1").ok());
  RestoreWait shared = wait();
  shared.keep_marks = {"data"};
  ASSERT_TRUE(wait_for_volumes(shared, {}).ok());
  EXPECT_TRUE(fs::exists(root_ + "/data/.velero/uid-1"));
  EXPECT_FALSE(fs::exists(root_ + "/logs/.velero"));
}

TEST_F(RestoreWaitTest, ARefusedPodNeverStartsThoughItsVolumesAreBack) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  ASSERT_TRUE(mark_restored(root_ + "/logs", "uid-1").ok());
  RestoreWait refused = wait();
  refused.refusal = "claim books is empty: its backup failed";
  for (int tries = 0; tries < 2; ++tries) {
    const Status status = wait_for_volumes(refused, {});
    ASSERT_TRUE(status.is(ErrorCode::denied));
    EXPECT_THAT(status.error().message(), HasSubstr("claim books is empty: its backup failed"));
  }
  refused.root += "/none";
  EXPECT_TRUE(wait_for_volumes(refused, {}).is(ErrorCode::denied)) << "a pod without a volume to wait for";
}

TEST_F(RestoreWaitTest, GivenUpItEndsWithTheReason) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  ASSERT_TRUE(give_up_volumes(root_, "uid-1", "no node agent runs on node n1").ok());
  const Status status = wait_for_volumes(wait(), {});
  ASSERT_TRUE(status.is(ErrorCode::unavailable));
  EXPECT_THAT(status.error().message(), HasSubstr("volume logs was not restored: no node agent runs on node n1"));
  EXPECT_THAT(status.error().hint(), HasSubstr("scale the workload of this pod to zero first"));
}

TEST_F(RestoreWaitTest, WaitsForTheLastVolume) {
  FakeClock clock(FakeClock::Mode::manual);
  RestoreWait waiting = wait();
  waiting.clock = &clock;
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  Status status = Error(ErrorCode::internal, "not ended");
  std::jthread waiter([&] { status = wait_for_volumes(waiting, {}); });
  clock.wait_for_sleepers(1);
  ASSERT_TRUE(mark_restored(root_ + "/logs", "uid-1").ok());
  clock.advance(std::chrono::seconds(1));
  waiter.join();
  EXPECT_TRUE(status.ok());
}

TEST_F(RestoreWaitTest, TimesOutNamingWhatIsMissing) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  const Status status = wait_for_volumes(wait(std::chrono::seconds(90)), {});
  ASSERT_TRUE(status.is(ErrorCode::timeout));
  EXPECT_THAT(status.error().message(), HasSubstr("not restored within 1m30s: logs "));
  EXPECT_THAT(status.error().message(), Not(HasSubstr("data")));
  EXPECT_THAT(status.error().hint(), HasSubstr("PodVolumeRestores"));
}

TEST_F(RestoreWaitTest, FailsAtOnceWithTheAgentsReason) {
  ASSERT_TRUE(mark_failed(root_ + "/logs", "uid-1", "uploader kopia wrote this").ok());
  const BootTime before = clock_.boottime();
  const Status status = wait_for_volumes(wait(), {});
  ASSERT_TRUE(status.is(ErrorCode::unavailable));
  EXPECT_THAT(status.error().message(), HasSubstr("volume logs was not restored: uploader kopia wrote this"));
  EXPECT_EQ(clock_.boottime(), before);
  EXPECT_TRUE(fs::exists(root_ + "/logs/.velero/uid-1.failed")) << "the next start of the container tells it again";
}

TEST_F(RestoreWaitTest, MarksOfAnotherRestoreAreNotOurs) {
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  ASSERT_TRUE(mark_restored(root_ + "/logs", "uid-0").ok());
  EXPECT_TRUE(wait_for_volumes(wait(), {}).is(ErrorCode::timeout));
}

TEST_F(RestoreWaitTest, NothingMountedIsAMistake) {
  fs::remove_all(root_ + "/data");
  fs::remove_all(root_ + "/logs");
  write(root_ + "/file", "");
  EXPECT_TRUE(wait_for_volumes(wait(), {}).is(ErrorCode::invalid));
  fs::remove_all(root_);
  EXPECT_TRUE(wait_for_volumes(wait(), {}).is(ErrorCode::not_found));
}

TEST_F(RestoreWaitTest, EndsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(wait_for_volumes(wait(), stop.get_token()).is(ErrorCode::cancelled));
}

TEST_F(RestoreWaitTest, MarkingEmptiesWhatTheBackupHadThere) {
  write(root_ + "/data/.velero/old-uid", "");
  write(root_ + "/data/.velero/sub/file", "x");
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_ + "/data/.velero")) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::ElementsAre("uid-1"));
  EXPECT_EQ(fs::file_size(root_ + "/data/.velero/uid-1"), 0U);
}

TEST_F(RestoreWaitTest, MarkingFollowsNoLinkOfTheBackup) {
  const std::string outside = root_ + "/logs";
  write(outside + "/precious", "p");
  fs::create_symlink(outside, root_ + "/data/.velero");
  ASSERT_TRUE(mark_restored(root_ + "/data", "uid-1").ok());
  EXPECT_TRUE(fs::exists(outside + "/precious"));
  EXPECT_FALSE(fs::exists(outside + "/uid-1"));
  EXPECT_FALSE(fs::is_symlink(root_ + "/data/.velero"));
  EXPECT_TRUE(mark_restored(root_ + "/data", "../uid-1").is(ErrorCode::invalid));
}

TEST_F(RestoreWaitTest, AnybodyMayReadTheMarks) {
  const mode_t before = ::umask(0077);
  const Status marked = mark_restored(root_ + "/data", "uid-1");
  ::umask(before);
  ASSERT_TRUE(marked.ok());
  EXPECT_EQ(fs::status(root_ + "/data/.velero").permissions(), fs::perms{0755});
  EXPECT_EQ(fs::status(root_ + "/data/.velero/uid-1").permissions(), fs::perms{0644});
}

TEST_F(RestoreWaitTest, AMissingVolumeCannotBeMarked) {
  EXPECT_TRUE(mark_restored(root_ + "/nosuch", "uid-1").is(ErrorCode::not_found));
  EXPECT_TRUE(mark_failed(root_ + "/nosuch", "uid-1", "x").is(ErrorCode::not_found));
}

}  // namespace
}  // namespace holdfast::node
