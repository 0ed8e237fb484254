// Single works: the choice of the parent, faults and deaths at every call of the store, a full disk, drops in the
// middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>

#include "node/fake_node.h"
#include "node/pod_volume_backup.h"
#include "node/pod_volume_restore.h"
#include "node/restore_marks.h"
#include "objstore/fault.h"
#include "repo/restore.h"
#include "velero/names.h"

namespace holdfast::node {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;
using objstore::Fault;

class PodVolumeTest : public FakeNode {
 protected:
  WorkOptions work_options() {
    WorkOptions out = options().work;
    out.cache_dir.clear();
    out.status_limit = std::chrono::seconds(5);
    return out;
  }
  location::Locations locations_{api_, "velero", [this](std::shared_ptr<objstore::Store> store) {
                                   fault_ = std::make_shared<objstore::FaultStore>(std::move(store));
                                   return fault_;
                                 }};
  PodVolumeMetrics pod_metrics_{metrics_, "n1"};
  const WorkContext context_{api_, system_clock(), log::Logger(log_), locations_, pod_metrics_, work_options()};
  std::shared_ptr<objstore::FaultStore> fault_;

  std::string back_up(const std::string& name, const std::string& pod) {
    add_backup(name, pod);
    const auto decoded = velero::decode<velero::PodVolumeBackup>(object("podvolumebackups", name));
    EXPECT_TRUE(run_pod_volume_backup(context_, *decoded, {}).ok());
    return phase_of("podvolumebackups", name);
  }
  std::string restore(const std::string& name, const std::string& pod, const std::string& snapshot) {
    add_restore(name, pod, snapshot);
    const auto decoded = velero::decode<velero::PodVolumeRestore>(object("podvolumerestores", name));
    EXPECT_TRUE(run_pod_volume_restore(context_, *decoded, {""}, {}).ok());
    return phase_of("podvolumerestores", name);
  }
  std::string snapshot_of(const std::string& name) {
    return json::string_at(object("podvolumebackups", name), {"status", "snapshotID"});
  }
  /// What a snapshot holds in its file `file`.
  std::string content_of(const std::string& snapshot) {
    const std::unique_ptr<repo::Repository> opened = repository();
    const Result<repo::Snapshot> found = repo::find_snapshot(*opened->snapshots(), snapshot);
    if (!found) return found.error().message();
    repo::RestoreOptions into;
    into.target = root_ + "/check-" + random_hex(4);
    repo::NoProgress progress;
    const Result<repo::RestoreResult> done = repo::restore(*opened, *found, into, progress);
    if (!done) return done.error().message();
    if (!done->errors.empty()) return done->errors.front().error.message();
    return read_file(into.target + "/file").value_or("no file");
  }
};

TEST_F(PodVolumeTest, DeathAtEveryCallOfTheStoreLosesNoEarlierSnapshot) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "first");
  ASSERT_EQ(back_up("first", "web"), "Completed");
  const std::string first = snapshot_of("first");
  fault_->reset();
  write(volume + "/file", "second");
  ASSERT_EQ(back_up("second", "web"), "Completed");
  const int calls = fault_->calls();
  ASSERT_GT(calls, 5);
  for (const Fault::Kind kind : {Fault::Kind::crash, Fault::Kind::crash_after}) {
    for (int n = 1; n <= calls; ++n) {
      const std::string name = fmt::format("try-{}-{}", n, kind == Fault::Kind::crash ? "before" : "after");
      write(volume + "/file", name);
      fault_->reset();
      fault_->crash_at(n, kind);
      const std::string phase = back_up(name, "web");
      EXPECT_TRUE(fault_->crashed()) << name;
      fault_->reset();
      if (phase == "Completed") {
        EXPECT_EQ(content_of(snapshot_of(name)), name);
      } else {
        EXPECT_EQ(phase, "Failed") << name;
        EXPECT_FALSE(message_of("podvolumebackups", name).empty()) << name;
        EXPECT_EQ(snapshot_of(name), "") << name;
      }
      EXPECT_EQ(content_of(first), "first") << name;
    }
  }
  write(volume + "/file", "last");
  ASSERT_EQ(back_up("last", "web"), "Completed") << message_of("podvolumebackups", "last");
  EXPECT_EQ(content_of(snapshot_of("last")), "last");
}

TEST_F(PodVolumeTest, ARestoreUnderFaultsTellsThePodAndTheNextOneWorks) {
  write(add_pod("web") + "/file", "content");
  ASSERT_EQ(back_up("b", "web"), "Completed");
  const std::string id = snapshot_of("b");
  add_pod("probe");
  fault_->reset();
  ASSERT_EQ(restore("probe", "probe", id), "Completed");
  const int calls = fault_->calls();
  ASSERT_GT(calls, 3);
  for (int n = 1; n <= calls; ++n) {
    const std::string name = fmt::format("r-{}", n);
    const std::string target = add_pod(name);
    fault_->reset();
    fault_->crash_at(n);
    EXPECT_EQ(restore(name, name, id), "Failed") << n;
    const VolumeMarks marks = *read_marks(target, "r1-uid");
    EXPECT_FALSE(marks.restored) << n;
    EXPECT_FALSE(marks.failure.value_or("").empty()) << n;
    fault_->reset();
    fs::remove_all(target);  // a new claim
    fs::create_directories(target);
    EXPECT_EQ(restore(name + "-again", name, id), "Completed") << n;
    EXPECT_TRUE(read_marks(target, "r1-uid")->restored);
    EXPECT_EQ(*read_file(target + "/file"), "content");
  }
}

TEST_F(PodVolumeTest, AVolumeThatHoldsDataIsRefusedAndLeftAsItIs) {
  write(add_pod("web") + "/file", "of the backup");
  ASSERT_EQ(back_up("b", "web"), "Completed");
  const std::string id = snapshot_of("b");
  const std::string used = add_pod("used");
  write(used + "/newer", "of the application");
  EXPECT_EQ(restore("r-used", "used", id), "Failed");
  EXPECT_THAT(message_of("podvolumerestores", "r-used"), HasSubstr("volume data of pod app/used holds data already"));
  EXPECT_EQ(*read_file(used + "/newer"), "of the application");
  EXPECT_FALSE(fs::exists(used + "/file"));
  EXPECT_THAT(read_marks(used, "r1-uid")->failure.value_or(""), HasSubstr("holds data already"));

  const std::string fresh = add_pod("fresh");
  fs::create_directories(fresh + "/lost+found");
  fs::create_directories(fresh + "/.velero");
  EXPECT_EQ(restore("r-fresh", "fresh", id), "Completed");
  EXPECT_EQ(*read_file(fresh + "/file"), "of the backup");
}

TEST_F(PodVolumeTest, AVolumeThatLostItsDataWithARebootIsFilledAgain) {
  write(add_pod("web") + "/file", "content");
  ASSERT_EQ(back_up("b", "web"), "Completed");
  const std::string target = add_pod("memory");
  ASSERT_EQ(restore("r", "memory", snapshot_of("b")), "Completed");
  auto decoded = velero::decode<velero::PodVolumeRestore>(object("podvolumerestores", "r"));
  EXPECT_FALSE(decoded->metadata.annotation("holdfast.dev/data-complete").empty());
  // The agent died before it wrote the end, the node with it, and the volume was in memory.
  fs::remove_all(target);
  fs::create_directories(target);
  set_phase("podvolumerestores", "r", "InProgress");
  EXPECT_TRUE(run_pod_volume_restore(context_, *decoded, {"InProgress"}, {}).ok());
  EXPECT_EQ(phase_of("podvolumerestores", "r"), "Completed");
  EXPECT_EQ(*read_file(target + "/file"), "content");
}

TEST_F(PodVolumeTest, ABackupThatIsCancelledInTheMiddleMakesNoSnapshot) {
  write(add_pod("web") + "/file", "content");
  ASSERT_EQ(back_up("b", "web"), "Completed");
  write(root_ + "/pods/web-uid/volumes/kubernetes.io~csi/pv-web/mount/file", "changed");
  fault_->reset();
  fault_->add({.operation = objstore::Operation::put, .key = "data/", .kind = Fault::Kind::stall});
  add_backup("c", "web");
  const auto decoded = velero::decode<velero::PodVolumeBackup>(object("podvolumebackups", "c"));
  std::jthread runner([&] { EXPECT_TRUE(run_pod_volume_backup(context_, *decoded, {}).ok()); });
  fault_->wait_for_stalled(1);
  const json::value cancel = *json::parse(R"({"spec":{"cancel":true}})");
  ASSERT_TRUE(api_.patch(kube::types::velero("podvolumebackups"), "velero", "c", kube::PatchKind::merge, cancel).ok());
  EXPECT_EQ(end_of("podvolumebackups", "c"), "Canceled");
  runner.join();
  EXPECT_EQ(repository()->snapshots()->size(), 1U);
}

TEST_F(PodVolumeTest, ABackupWhoseOwnerEndsInTheMiddleMakesNoSnapshot) {
  write(add_pod("web") + "/file", "content");
  fault_ = nullptr;
  add_backup("b", "web");
  // The last look comes after everything is stored: the owner ends just then.
  ASSERT_TRUE(locations_.get("default").ok());
  fault_->add({.operation = objstore::Operation::put, .key = "index/", .kind = Fault::Kind::stall});
  const auto decoded = velero::decode<velero::PodVolumeBackup>(object("podvolumebackups", "b"));
  std::jthread runner([&] { EXPECT_TRUE(run_pod_volume_backup(context_, *decoded, {}).ok()); });
  fault_->wait_for_stalled(1);
  set_phase("backups", "b1", "Failed");
  fault_->release();
  EXPECT_EQ(end_of("podvolumebackups", "b"), "Failed");
  runner.join();
  EXPECT_THAT(message_of("podvolumebackups", "b"), HasSubstr("no longer InProgress"));
  EXPECT_TRUE(repository()->snapshots()->empty());
}

TEST_F(PodVolumeTest, AVolumeThatIsUnmountedWhileItIsReadMakesNoSnapshot) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "content");
  ASSERT_TRUE(locations_.get("default").ok());
  fault_->add({.operation = objstore::Operation::put, .key = "index/", .kind = Fault::Kind::stall});
  add_backup("b", "web");
  const auto decoded = velero::decode<velero::PodVolumeBackup>(object("podvolumebackups", "b"));
  std::jthread runner([&] { EXPECT_TRUE(run_pod_volume_backup(context_, *decoded, {}).ok()); });
  fault_->wait_for_stalled(1);
  fs::rename(volume, volume + "-gone");
  fs::create_directories(volume);
  fault_->release();
  EXPECT_EQ(end_of("podvolumebackups", "b"), "Failed");
  runner.join();
  EXPECT_THAT(message_of("podvolumebackups", "b"), HasSubstr("unmounted while it was read"));
  EXPECT_TRUE(repository()->snapshots()->empty());
}

TEST_F(PodVolumeTest, ARepositoryThatIsNotReadyIsNotTouched) {
  write(add_pod("p") + "/file", "content");
  const json::value doubt = json::object{{"status", json::object{{"phase", "NotReady"}, {"message", "no key fits"}}}};
  ASSERT_TRUE(api_.patch(kube::types::velero("backuprepositories"), "velero", "app-default-restic-x",
                         kube::PatchKind::merge, doubt)
                  .ok());
  EXPECT_EQ(back_up("one", "p"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "one"),
              HasSubstr("BackupRepository app-default-restic-x is NotReady: no key fits"));
  EXPECT_EQ(restore("two", "p", "12345678"), "Failed");
  EXPECT_THAT(message_of("podvolumerestores", "two"), HasSubstr("is NotReady"));
  ASSERT_TRUE(api_.remove(kube::types::velero("backuprepositories"), "velero", "app-default-restic-x").ok());
  EXPECT_EQ(back_up("three", "p"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "three"), HasSubstr("has no BackupRepository"));
}

TEST_F(PodVolumeTest, AFullDiskFailsTheRestoreWithItsReason) {
  write(add_pod("web") + "/file", random_hex(600'000));
  ASSERT_EQ(back_up("b", "web"), "Completed");
  const std::string id = snapshot_of("b");
  const std::string target = add_pod("small");
  bool mounted = false;
  std::string phase;
  // A mount namespace of this thread: whatever the test does is gone with it. Without the right to mount, a limit on
  // the size of files stands for the full disk.
  std::jthread([&] {
    mounted = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("tmpfs", target.c_str(), "tmpfs", 0, "size=256k") == 0;
    rlimit before{};
    if (!mounted) {
      std::signal(SIGXFSZ, SIG_IGN);
      ::getrlimit(RLIMIT_FSIZE, &before);
      const rlimit small{.rlim_cur = 256 << 10, .rlim_max = before.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &small);
    }
    phase = restore("r", "small", id);
    if (!mounted) ::setrlimit(RLIMIT_FSIZE, &before);
    const Result<VolumeMarks> marks = read_marks(target, "r1-uid");
    EXPECT_TRUE(marks.ok() && marks->failure.has_value() && !marks->restored);
  }).join();
  EXPECT_EQ(phase, "Failed");
  EXPECT_THAT(message_of("podvolumerestores", "r"), testing::AnyOf(HasSubstr("No space left"), HasSubstr("too large")));
}

// ---- the parent

repo::Snapshot snapshot(char digit, std::vector<std::string> tags) {
  repo::Snapshot out;
  out.id = *repo::Id::parse(std::string(64, digit));
  out.hostname = "velero";
  out.tags = std::move(tags);
  return out;
}

velero::PodVolumeBackup past(char digit, const std::string& uid, const std::string& claim, int seconds) {
  velero::PodVolumeBackup out;
  out.metadata.uid = std::string("pvb-") + digit;
  if (!uid.empty()) out.metadata.labels[std::string(velero::label::kPvcUid)] = uid;
  if (!claim.empty()) out.metadata.annotations[std::string(velero::annotation::kPvcName)] = claim;
  out.spec.pod.namespace_ = "app";
  out.spec.pod.uid = "pod-1";
  out.spec.volume = "data";
  out.spec.backup_storage_location = "default";
  out.status.phase = "Completed";
  out.status.snapshot_id = std::string(8, digit);
  out.status.start_timestamp = Time(std::chrono::seconds(seconds));
  return out;
}

std::string parent(const velero::PodVolumeBackup& backup, const std::vector<velero::PodVolumeBackup>& earlier,
                   const std::vector<repo::Snapshot>& snapshots) {
  const std::optional<repo::Snapshot> found = choose_parent(backup, earlier, snapshots);
  return found ? found->id.short_hex().substr(0, 1) : "";
}

TEST(ChooseParent, TheClaimsUidComesFirst) {
  const std::vector<repo::Snapshot> there{snapshot('1', {}), snapshot('2', {}), snapshot('3', {})};
  const velero::PodVolumeBackup now = past('9', "u", "c", 100);
  EXPECT_EQ(parent(now, {past('1', "u", "c", 1), past('2', "u", "c", 2), past('3', "other", "c", 3)}, there), "2");
  EXPECT_EQ(parent(now, {past('2', "u", "c", 2), past('1', "u", "c", 1)}, there), "2") << "by time, not by order";
  EXPECT_EQ(parent(now, {}, there), "");
}

TEST(ChooseParent, ThenNamespaceAndName) {
  const std::vector<repo::Snapshot> there{snapshot('1', {}), snapshot('2', {})};
  const velero::PodVolumeBackup now = past('9', "new-site", "c", 100);
  EXPECT_EQ(parent(now, {past('1', "old-site", "c", 1), past('2', "old-site", "d", 2)}, there), "1");
  velero::PodVolumeBackup elsewhere = past('1', "old-site", "c", 1);
  elsewhere.spec.pod.namespace_ = "other";
  EXPECT_EQ(parent(now, {elsewhere}, there), "");
}

TEST(ChooseParent, OnlyWhatIsCompletedHereAndStillThere) {
  const std::vector<repo::Snapshot> there{snapshot('1', {})};
  const velero::PodVolumeBackup now = past('9', "u", "c", 100);
  velero::PodVolumeBackup one = past('1', "u", "c", 1);
  EXPECT_EQ(parent(now, {one, past('2', "u", "c", 2)}, there), "1") << "the newer one was forgotten";
  one.status.phase = "Failed";
  EXPECT_EQ(parent(now, {one}, there), "");
  one = past('1', "u", "c", 1);
  one.spec.backup_storage_location = "other";
  EXPECT_EQ(parent(now, {one}, there), "");
  one = past('1', "u", "c", 1);
  one.spec.uploader_type = "kopia";
  EXPECT_EQ(parent(now, {one}, there), "");
}

TEST(ChooseParent, LastTheTags) {
  const std::vector<repo::Snapshot> there{snapshot('1', {"ns=app", "volume=data", "pod-uid=pod-1"}),
                                          snapshot('2', {"ns=app", "volume=data", "pod-uid=pod-2"}),
                                          snapshot('3', {"ns=app", "volume=logs", "pod-uid=pod-1"})};
  EXPECT_EQ(parent(past('9', "u", "c", 100), {}, there), "2");
  EXPECT_EQ(parent(past('9', "", "", 100), {}, there), "1") << "a volume without a claim belongs to its pod";
}

}  // namespace
}  // namespace holdfast::node
