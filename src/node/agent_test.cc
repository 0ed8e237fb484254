#include "node/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>

#include "node/fake_node.h"
#include "node/pod_volume_backup.h"
#include "node/pod_volume_restore.h"
#include "node/restore_marks.h"

namespace holdfast::node {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class AgentTest : public FakeNode {
 protected:
  std::string snapshot_of(const std::string& backup) {
    return json::string_at(object("podvolumebackups", backup), {"status", "snapshotID"});
  }
  /// Backs up a pod's volume by a running agent and answers the snapshot.
  std::string back_up(const std::string& name, const std::string& pod) {
    add_backup(name, pod);
    EXPECT_EQ(end_of("podvolumebackups", name), "Completed") << message_of("podvolumebackups", name);
    return snapshot_of(name);
  }
};

TEST_F(AgentTest, BacksUpAndRestoresAVolume) {
  const std::string volume = add_pod("web");
  write(volume + "/a/b.txt", "content");
  fs::create_symlink("b.txt", volume + "/a/link");
  start_agent();
  const std::string id = back_up("b1-x", "web");
  EXPECT_EQ(id.size(), 8U);
  const json::value done = object("podvolumebackups", "b1-x");
  EXPECT_EQ(json::string_at(done, {"status", "path"}), volume);
  EXPECT_EQ(json::int_at(done, {"status", "progress", "bytesDone"}), 7);
  EXPECT_EQ(json::int_at(done, {"status", "progress", "totalBytes"}), 7);
  EXPECT_FALSE(json::string_at(done, {"status", "startTimestamp"}).empty());
  EXPECT_FALSE(json::string_at(done, {"status", "completionTimestamp"}).empty());
  const std::vector<repo::Snapshot> snapshots = *repository()->snapshots();
  ASSERT_EQ(snapshots.size(), 1U);
  EXPECT_EQ(snapshots[0].id.short_hex(), id);
  EXPECT_EQ(snapshots[0].hostname, "velero");
  EXPECT_THAT(snapshots[0].paths, testing::ElementsAre(volume));
  EXPECT_THAT(snapshots[0].tags, UnorderedElementsAre("backup=b1", "backup-uid=b1-uid", "pod=web", "pod-uid=web-uid",
                                                      "ns=app", "volume=data"));

  const std::string target = add_pod("web2");
  write(target + "/.velero/of-the-backup", "");
  add_restore("r1-x", "web2", id);
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Completed") << message_of("podvolumerestores", "r1-x");
  EXPECT_EQ(*read_file(target + "/a/b.txt"), "content");
  EXPECT_EQ(fs::read_symlink(target + "/a/link"), "b.txt");
  EXPECT_TRUE(read_marks(target, "r1-uid")->restored);
  EXPECT_FALSE(fs::exists(target + "/.velero/of-the-backup"));
  EXPECT_EQ(json::int_at(object("podvolumerestores", "r1-x"), {"status", "progress", "bytesDone"}), 7);
  stop_agent();
  EXPECT_TRUE(agent_status_.ok()) << agent_status_.error().message();
  EXPECT_THAT(metrics_.render(), HasSubstr("podVolume_pod_volume_backup_enqueue_count{node=\"n1\"} 1"));
}

TEST_F(AgentTest, TheSecondBackupIsIncremental) {
  const std::string volume = add_pod("web");
  write(volume + "/big", random_hex(200'000));
  start_agent();
  const std::string first = back_up("b1-x", "web");
  write(volume + "/small", "new");
  // The pod was made anew, the claim is the same: its path differs, so only the claim's uid leads to the parent.
  const std::string second = back_up("b1-y", "web");
  const std::vector<repo::Snapshot> snapshots = *repository()->snapshots();
  ASSERT_EQ(snapshots.size(), 2U);
  const repo::Snapshot& newer = snapshots[0].id.short_hex() == second ? snapshots[0] : snapshots[1];
  ASSERT_TRUE(newer.parent.has_value());
  EXPECT_EQ(newer.parent->short_hex(), first);
  EXPECT_EQ(newer.summary->files_unmodified, 1U);
  EXPECT_LT(json::int_at(object("podvolumebackups", "b1-y"), {"status", "incrementalBytes"}), 10'000);
  EXPECT_GT(json::int_at(object("podvolumebackups", "b1-x"), {"status", "incrementalBytes"}), 100'000);
}

TEST_F(AgentTest, AnEmptyVolumeCompletesWithoutASnapshot) {
  add_pod("web");
  start_agent();
  add_backup("b1-x", "web");
  EXPECT_EQ(end_of("podvolumebackups", "b1-x"), "Completed");
  EXPECT_EQ(snapshot_of("b1-x"), "");
  EXPECT_EQ(message_of("podvolumebackups", "b1-x"), "volume was empty so no snapshot was taken");
  EXPECT_TRUE(repository()->snapshots()->empty());
}

TEST_F(AgentTest, ManyVolumesAtOnce) {
  start_agent();
  for (int i = 0; i < 6; ++i) {
    const std::string name = fmt::format("web{}", i);
    write(add_pod(name) + "/file", name);
    add_backup("b1-" + name, name);
  }
  for (int i = 0; i < 6; ++i) EXPECT_EQ(end_of("podvolumebackups", fmt::format("b1-web{}", i)), "Completed");
  EXPECT_EQ(repository()->snapshots()->size(), 6U);
}

TEST_F(AgentTest, LeavesOtherNodesAlone) {
  write(add_pod("web") + "/file", "x");
  add_pod("far", "n2");
  add_backup("b1-far", "far", "cancel: false");
  json::value far = object("podvolumebackups", "b1-far");
  json::set(far.as_object(), {"spec", "node"}, "n2");
  ASSERT_TRUE(api_.update(kube::types::velero("podvolumebackups"), "velero", far).ok());
  add_restore("r1-far", "far", "00000000");
  start_agent();
  back_up("b1-x", "web");
  EXPECT_EQ(phase_of("podvolumebackups", "b1-far"), "");
  EXPECT_EQ(phase_of("podvolumerestores", "r1-far"), "");
}

TEST_F(AgentTest, AKopiaRestoreFailsByNameAndThePodIsTold) {
  const std::string volume = add_pod("web");
  add_restore("r1-x", "web", "00000000", "kopia");
  start_agent();
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Failed");
  EXPECT_THAT(message_of("podvolumerestores", "r1-x"), HasSubstr("uploader kopia"));
  const VolumeMarks marks = *read_marks(volume, "r1-uid");
  EXPECT_FALSE(marks.restored);
  EXPECT_THAT(marks.failure.value_or(""), HasSubstr("uploader kopia"));
}

TEST_F(AgentTest, AnUnknownSnapshotFailsWithItsName) {
  const std::string volume = add_pod("web");
  add_restore("r1-x", "web", "0badcafe");
  start_agent();
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Failed");
  EXPECT_THAT(message_of("podvolumerestores", "r1-x"), HasSubstr("0badcafe"));
  EXPECT_TRUE(read_marks(volume, "r1-uid")->failure.has_value());
}

TEST_F(AgentTest, ARestoreWaitsForTheWaitingContainer) {
  const std::string source = add_pod("web");
  write(source + "/file", "x");
  start_agent();
  const std::string id = back_up("b1-x", "web");
  add_pod("late");
  json::value pod = api_.peek(kube::types::pods(), "app", "late");
  json::erase(pod.as_object(), {"status", "initContainerStatuses"});
  ASSERT_TRUE(api_.update(kube::types::pods(), "app", pod, {.subresource = "status"}).ok());
  api_.forget_calls();
  add_restore("r1-x", "late", id);
  ASSERT_TRUE(eventually([&] { return api_.count("get", "pods") >= 3; }));
  EXPECT_EQ(phase_of("podvolumerestores", "r1-x"), "");
  pod = api_.peek(kube::types::pods(), "app", "late");
  json::set(pod.as_object(), {"status", "initContainerStatuses"},
            *json::parse(R"([{"name":"restore-wait","state":{"running":{}}}])"));
  ASSERT_TRUE(api_.update(kube::types::pods(), "app", pod, {.subresource = "status"}).ok());
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Completed") << message_of("podvolumerestores", "r1-x");
}

TEST_F(AgentTest, AfterARestartBackupsFailAndRestoresBeginAnew) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "x");
  start_agent();
  const std::string id = back_up("b1-x", "web");
  stop_agent();
  add_backup("b1-y", "web", "", "{phase: InProgress}");
  const std::string target = add_pod("web2");
  add_restore("r1-x", "web2", id, "restic", "{phase: InProgress, node: n1}");
  start_agent();
  EXPECT_EQ(end_of("podvolumebackups", "b1-y"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-y"), HasSubstr("node agent restarted"));
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Completed");
  EXPECT_EQ(*read_file(target + "/file"), "x");
}

TEST_F(AgentTest, ARestartNeverWritesIntoAPodThatMayRun) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "x");
  start_agent();
  const std::string id = back_up("b1-x", "web");
  stop_agent();
  // The former life died after it had recorded that the data is complete: the program may have changed it since.
  write(volume + "/file", "changed by the program");
  add_restore("r1-x", "web", id, "restic", "{phase: InProgress, node: n1}");
  const json::value patch = *json::parse(R"({"metadata":{"annotations":{"holdfast.dev/data-complete":"x"}}})");
  ASSERT_TRUE(
      api_.patch(kube::types::velero("podvolumerestores"), "velero", "r1-x", kube::PatchKind::merge, patch).ok());
  start_agent();
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Completed");
  EXPECT_EQ(*read_file(volume + "/file"), "changed by the program");
}

TEST_F(AgentTest, WorkOfAnEndedOwnerIsDropped) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "x");
  set_phase("backups", "b1", "Failed");
  set_phase("restores", "r1", "PartiallyFailed");
  add_backup("b1-x", "web");
  add_restore("r1-x", "web", "00000000");
  start_agent();
  EXPECT_EQ(end_of("podvolumebackups", "b1-x"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-x"), HasSubstr("backups/b1 is no longer InProgress but Failed"));
  EXPECT_EQ(end_of("podvolumerestores", "r1-x"), "Failed");
  EXPECT_TRUE(read_marks(volume, "r1-uid")->failure.has_value());
  EXPECT_TRUE(repository()->snapshots()->empty());
}

TEST_F(AgentTest, CancelIsHonoured) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "x");
  add_backup("b1-x", "web", "cancel: true");
  start_agent();
  EXPECT_EQ(end_of("podvolumebackups", "b1-x"), "Canceled");
  EXPECT_TRUE(repository()->snapshots()->empty());
}

TEST_F(AgentTest, NamesWhatIsMissing) {
  start_agent();
  add_backup("b1-gone", "nosuch");
  EXPECT_EQ(end_of("podvolumebackups", "b1-gone"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-gone"), HasSubstr("pod app/nosuch is gone"));
  fs::remove_all(add_pod("bare"));
  add_backup("b1-bare", "bare");
  EXPECT_EQ(end_of("podvolumebackups", "b1-bare"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-bare"), HasSubstr("no directory matches"));
  add_pod("twice");
  fs::create_directories(root_ + "/pods/twice-uid/volumes/kubernetes.io~local-volume/pv-twice");
  add_backup("b1-twice", "twice");
  EXPECT_EQ(end_of("podvolumebackups", "b1-twice"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-twice"), HasSubstr("2 directories match"));
  add_restore("r1-gone", "nosuch", "00000000");
  EXPECT_EQ(end_of("podvolumerestores", "r1-gone"), "Failed");
}

TEST_F(AgentTest, AWrongPasswordNamesTheSecret) {
  write(add_pod("web") + "/file", "x");
  const json::value patch = json::object{{"data", json::object{{"repository-password", to_base64("wrong")}}}};
  ASSERT_TRUE(
      api_.patch(kube::types::secrets(), "velero", "velero-repo-credentials", kube::PatchKind::merge, patch).ok());
  add_backup("b1-x", "web");
  start_agent();
  EXPECT_EQ(end_of("podvolumebackups", "b1-x"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-x"), HasSubstr("velero-repo-credentials"));
}

TEST_F(AgentTest, NeedsItsNodesName) {
  AgentOptions nameless = options();
  nameless.work.node.clear();
  EXPECT_TRUE(run_agent(api_, system_clock(), {}, metrics_, nameless, {}).is(ErrorCode::invalid));
}

/// A pod whose node has booted after its volume had been restored.
class AgentAfterBootTest : public AgentTest {
 protected:
  void SetUp() override {
    AgentTest::SetUp();
    write(add_pod("source") + "/file", "content");
    start_agent();
    snapshot_ = back_up("b1-x", "source");
    target_ = add_pod("web");
  }
  /// The kubelet starts the waiting container: once more, or for the first time.
  void start_wait(const std::string& id, const std::string& pod = "web") {
    const std::string text =
        fmt::format(R"({{"status":{{"initContainerStatuses":[{{"name":"restore-wait","containerID":"{}",)"
                    R"("state":{{"running":{{"startedAt":"2026-11-21T10:00:00Z"}}}}}}]}}}})",
                    id);
    ASSERT_TRUE(api_.patch(kube::types::pods(), "app", pod, kube::PatchKind::merge, *json::parse(text),
                           {.subresource = "status"})
                    .ok());
  }
  bool marked() { return read_marks(target_, "r1-uid")->restored; }
  void wait_for_line(const std::string& words) {
    const BootTime limit = system_clock().boottime() + std::chrono::seconds(30);
    while (log_->text().find(words) == std::string::npos) {
      ASSERT_LT(system_clock().boottime(), limit) << words;
      ASSERT_TRUE(system_clock().sleep({}, std::chrono::milliseconds(10)).ok());
    }
  }
  std::string snapshot_;
  std::string target_;
};

TEST_F(AgentAfterBootTest, ItIsToldAgain) {
  start_wait("first");
  add_restore("r1-x", "web", snapshot_);
  ASSERT_EQ(end_of("podvolumerestores", "r1-x"), "Completed") << message_of("podvolumerestores", "r1-x");
  // The helper saw the mark and took it away; the same container is not told twice, whatever changes about the pod.
  ASSERT_TRUE(remove_marks(target_));
  const auto touch = [&](const std::string& value) {
    const json::value patch = json::object{{"metadata", json::object{{"labels", json::object{{"touched", value}}}}}};
    ASSERT_TRUE(api_.patch(kube::types::pods(), "app", "web", kube::PatchKind::merge, patch).ok());
  };
  touch("1");
  const json::value answer = object("podvolumerestores", "r1-x");
  const auto decoded = velero::decode<velero::PodVolumeRestore>(answer);
  location::Locations locations(api_, "velero");
  PodVolumeMetrics own_metrics(metrics_, "n1");
  const WorkContext context{api_, system_clock(), log::Logger(log_), locations, own_metrics, options().work};
  ASSERT_TRUE(mark_again(context, *decoded, {}).ok());
  EXPECT_FALSE(marked());
  write(target_ + "/file", "written by the program since");
  start_wait("second");
  wait_for_line("marked as restored again");
  EXPECT_TRUE(marked());
  EXPECT_EQ(*read_file(target_ + "/file"), "written by the program since");
}

TEST_F(AgentAfterBootTest, AnAgentThatStartsLaterSeesIt) {
  start_wait("first");
  add_restore("r1-x", "web", snapshot_);
  ASSERT_EQ(end_of("podvolumerestores", "r1-x"), "Completed");
  stop_agent();
  ASSERT_TRUE(remove_marks(target_));
  start_wait("second");
  start_agent();
  wait_for_line("marked as restored again");
  EXPECT_TRUE(marked());
}

TEST_F(AgentAfterBootTest, WithoutANoteTheTimesDecide) {
  start_wait("any");
  ASSERT_TRUE(remove_marks(target_));
  add_restore("old", "web", snapshot_, "restic", "{phase: Completed, completionTimestamp: '2026-11-21T10:00:00Z'}");
  add_restore("older", "web", snapshot_, "restic", "{phase: Completed, completionTimestamp: '2026-11-21T09:59:59Z'}");
  wait_for_line("podvolumerestore=older");
  EXPECT_TRUE(marked());
  EXPECT_EQ(log_->text().find("podvolumerestore=old "), std::string::npos);
}

TEST_F(AgentAfterBootTest, WhatWasNotRestoredIsNeverMarked) {
  start_wait("first");
  add_restore("r1-x", "web", "00000000");
  ASSERT_EQ(end_of("podvolumerestores", "r1-x"), "Failed");
  ASSERT_TRUE(remove_marks(target_));
  // A pod of the same name that is another one, too.
  const std::string other = add_pod("other");
  add_restore("r1-y", "other", snapshot_);
  ASSERT_EQ(end_of("podvolumerestores", "r1-y"), "Completed");
  ASSERT_TRUE(remove_marks(other));
  ASSERT_TRUE(api_.remove(kube::types::pods(), "app", "other").ok());
  api_.seed_yaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: app, uid: other-uid-2}
spec:
  nodeName: n1
  initContainers: [{name: restore-wait}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: other-data}}]
)");
  start_wait("second");
  start_wait("third", "other");
  // Whoever is told again afterwards shows that both were looked at.
  const std::string good = add_pod("good");
  start_wait("first", "good");
  add_restore("r1-z", "good", snapshot_);
  ASSERT_EQ(end_of("podvolumerestores", "r1-z"), "Completed");
  ASSERT_TRUE(remove_marks(good));
  start_wait("second", "good");
  wait_for_line("pod=app/good");
  EXPECT_FALSE(marked());
  EXPECT_FALSE(read_marks(other, "r1-uid")->restored);
}

TEST_F(AgentTest, WhatSomebodyElseHadBegunIsEndedOrBegunAnew) {
  write(add_pod("web") + "/file", "content");
  start_agent();
  const std::string id = back_up("b1-x", "web");
  stop_agent();
  for (const std::string phase : {"Accepted", "Prepared", "InProgress", "Canceling"}) {
    std::string name = phase;
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    add_backup("b-" + name, "web", "", "{phase: " + phase + "}");
    add_pod("pod-" + name);
    add_restore("r-" + name, "pod-" + name, id, "restic", "{phase: " + phase + ", node: n1}");
  }
  start_agent();
  for (const std::string name : {"accepted", "prepared", "inprogress", "canceling"}) {
    EXPECT_EQ(end_of("podvolumebackups", "b-" + name), "Failed") << name;
    EXPECT_THAT(message_of("podvolumebackups", "b-" + name), HasSubstr("node agent restarted"));
    const bool cancelled = name == "canceling";
    EXPECT_EQ(end_of("podvolumerestores", "r-" + name), cancelled ? "Failed" : "Completed") << name;
  }
  EXPECT_THAT(message_of("podvolumerestores", "r-canceling"), HasSubstr("cancelled on request"));
}

TEST_F(AgentTest, AVolumeThatIsNotMountedIsNeitherReadNorWritten) {
  const std::string volume = add_pod("web");
  write(volume + "/file", "of the node's own disk");
  location::Locations locations(api_, "velero");
  PodVolumeMetrics own_metrics(metrics_, "n1");
  WorkOptions work = options().work;
  work.mounted = [](const std::string&) -> Result<bool> { return false; };
  const WorkContext context{api_, system_clock(), log::Logger(log_), locations, own_metrics, work};
  add_backup("b1-x", "web");
  const auto backup = velero::decode<velero::PodVolumeBackup>(object("podvolumebackups", "b1-x"));
  ASSERT_TRUE(run_pod_volume_backup(context, *backup, {}).ok());
  EXPECT_EQ(phase_of("podvolumebackups", "b1-x"), "Failed");
  EXPECT_THAT(message_of("podvolumebackups", "b1-x"), HasSubstr("nothing is mounted at " + volume));
  add_restore("r1-x", "web", "00000000");
  const auto restore = velero::decode<velero::PodVolumeRestore>(object("podvolumerestores", "r1-x"));
  ASSERT_TRUE(run_pod_volume_restore(context, *restore, {""}, {}).ok());
  EXPECT_EQ(phase_of("podvolumerestores", "r1-x"), "Failed");
  EXPECT_FALSE(fs::exists(volume + "/.velero"));
}

}  // namespace
}  // namespace holdfast::node
