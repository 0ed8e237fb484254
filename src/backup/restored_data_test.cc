// No application comes up on missing or wrong data: claims that were not saved, volumes that did not come back, claims
// that several pods share.
#include "backup/restored_data.h"

#include <gmock/gmock.h>

#include "backup/fake_volumes.h"
#include "backup/run_backup.h"
#include "backup/run_restore.h"
#include "base/fake_clock.h"
#include "base/text.h"
#include "velero/names.h"
#include "velero/restore_options.h"

namespace holdfast::backup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

kube::ResourceType deployment_configs() {
  kube::ResourceType type = kube::types::pods();
  type.group = "apps.openshift.io";
  type.plural = "deploymentconfigs";
  type.kind = "DeploymentConfig";
  type.singular = "deploymentconfig";
  type.short_names = {"dc"};
  return type;
}

std::string claim_yaml(const std::string& name) {
  return "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: " + name +
         ", namespace: a}, spec: {volumeName: pv-" + name +
         "}}\n---\n{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-" + name +
         "}, spec: {persistentVolumeReclaimPolicy: Delete, claimRef: {namespace: a, name: " + name + "}}}\n---\n";
}

/// With the first `what` replaced.
std::string replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

/// A pod that mounts `claim` as volume v; `more` goes into its metadata.
std::string pod_yaml(const std::string& name, const std::string& claim, const std::string& phase = "Running",
                     const std::string& more = "annotations: {backup.velero.io/backup-volumes: v}") {
  return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: a, " + more +
         "}, spec: {nodeName: n, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: "
         "v, persistentVolumeClaim: {claimName: " +
         claim + "}}]}, status: {phase: " + phase + "}}\n---\n";
}

class RestoredDataTest : public testing::Test {
 protected:
  RestoredDataTest() {
    run_.restore_wait.image = "localhost/holdfast:1";
    run_.restore.metadata.name = "r";
    run_.restore.metadata.uid = "r-uid";
    run_.restore.spec.backup_name = "b";
    run_.clock = &clock_;
    target_.add_type(deployment_configs());
    source_.add_type(deployment_configs());
  }
  void back_up(const std::string& yaml) {
    source_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n" + yaml);
    BackupRun backup{.layout = run_.layout};
    backup.collect.backup.metadata.name = "b";
    backup.collect.backup.spec.included_namespaces = {"a"};
    const auto done = run_backup(source_, store_, backup, &saved_);
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    backup_phase_ = done->phase;
  }
  RestoreOutcome restore() {
    Result<RestoreOutcome> outcome = run_restore(target_, store_, run_, &volumes_);
    EXPECT_TRUE(outcome.ok());
    return outcome.ok() ? std::move(*outcome) : RestoreOutcome();
  }
  velero::StringList errors(const RestoreOutcome& outcome) {
    const auto found = outcome.results.errors.namespaces.find("a");
    return found == outcome.results.errors.namespaces.end() ? velero::StringList() : found->second;
  }
  /// The arguments of the pod's wait container.
  std::vector<std::string> wait_arguments(const std::string& pod) {
    std::vector<std::string> out;
    const json::value object = target_.peek(kube::types::pods(), "a", pod);
    for (const json::value& container : json::array_at(object, {"spec", "initContainers"})) {
      if (json::string_at(container, {"name"}) != velero::kRestoreWaitContainer) continue;
      for (const json::value& one : json::array_at(container, {"args"})) out.emplace_back(one.get_string());
    }
    return out;
  }
  int64_t replicas() { return json::int_at(target_.peek(deployment_configs(), "a", "d"), {"spec", "replicas"}, -1); }

  FakeClock clock_;
  kube::FakeApi source_;
  kube::FakeApi target_{[this] {
    kube::FakeApiOptions options;
    options.clock = &clock_;
    return options;
  }()};
  objstore::MemStore store_;
  FakeVolumeBackups saved_;
  std::string backup_phase_;
  FakeVolumeRestores volumes_;
  RestoreRun run_{.layout = velero::Layout::at("").value(), .restore = {}};
};

TEST_F(RestoredDataTest, AClaimWhoseBackupFailedIsAnErrorAndHoldsItsPod) {
  saved_.failing = {"v"};
  back_up(claim_yaml("books") + pod_yaml("p", "books"));
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_THAT(errors(outcome),
              ElementsAre(HasSubstr("claim books is empty: the backup of its volume v through pod p")));
  EXPECT_THAT(wait_arguments("p"),
              ElementsAre("r-uid", HasSubstr("--deadline="), HasSubstr("--refuse=claim books is empty: ")));
  EXPECT_THAT(volumes_.requests, IsEmpty());
}

TEST_F(RestoredDataTest, AClaimOfAPodThatDidNotRunIsAnErrorToo) {
  back_up(claim_yaml("books") + pod_yaml("p", "books", "Pending"));
  EXPECT_EQ(backup_phase_, "PartiallyFailed");
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_THAT(errors(outcome),
              ElementsAre(HasSubstr("claim books is empty: its backup failed: pod p: the pod does not run")));
  EXPECT_EQ(wait_arguments("p").size(), 3U);
}

TEST_F(RestoredDataTest, AClaimWhosePodIsNotInTheBackupIsAnErrorToo) {
  source_.on_exec([](const std::string&, const std::string&, const std::string&, const std::vector<std::string>&) {
    return Result<kube::ExecResult>(Error(ErrorCode::unavailable, "no freeze"));
  });
  back_up(claim_yaml("books") + pod_yaml("p", "books", "Running",
                                         "annotations: {backup.velero.io/backup-volumes: v, "
                                         "pre.hook.backup.velero.io/command: '[\"/freeze\"]', "
                                         "pre.hook.backup.velero.io/on-error: Fail}"));
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_THAT(errors(outcome),
              ElementsAre(HasSubstr("claim books is empty: its backup failed: pod p: a pre hook failed")));
}

TEST_F(RestoredDataTest, AClaimThatNobodyAskedToSaveComesAnewAsWithVelero) {
  back_up(claim_yaml("scratch") + pod_yaml("p", "scratch", "Running", "labels: {x: y}"));
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "Completed");
  EXPECT_THAT(wait_arguments("p"), IsEmpty());
  EXPECT_TRUE(target_.peek(kube::types::persistent_volume_claims(), "a", "scratch").is_object());
}

TEST_F(RestoredDataTest, WhoAllowsItStartsWithoutTheData) {
  saved_.failing = {"v"};
  back_up(claim_yaml("books") + pod_yaml("p", "books"));
  for (const std::string allowed : {"a/books", "x/y, a/books", "*"}) {
    run_.restore.metadata.annotations[std::string(velero::annotation::kStartWithoutData)] = allowed;
    kube::FakeApi target;
    const auto outcome = run_restore(target, store_, run_, &volumes_);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->phase, "Completed") << allowed;
    EXPECT_EQ(outcome->results.warnings.count(), 1U);
    EXPECT_EQ(json::find(target.peek(kube::types::pods(), "a", "p"), {"spec", "initContainers"}), nullptr);
  }
  run_.restore.metadata.annotations[std::string(velero::annotation::kStartWithoutData)] = "a/others";
  EXPECT_EQ(restore().phase, "PartiallyFailed");
}

TEST_F(RestoredDataTest, AClaimThatWasThereBeforeHoldsNobody) {
  saved_.failing = {"v"};
  back_up(claim_yaml("books") + pod_yaml("p", "books"));
  target_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n" + claim_yaml("books"));
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "Completed");
  EXPECT_THAT(wait_arguments("p"), IsEmpty());
}

TEST_F(RestoredDataTest, EveryPodThatMountsAClaimWaitsAndOneBringsItBack) {
  back_up(claim_yaml("shared") + pod_yaml("p1", "shared") + pod_yaml("p2", "shared") +
          pod_yaml("p3", "shared", "Running", "labels: {x: y}"));
  ASSERT_EQ(saved_.requests.size(), 1U);
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "Completed");
  for (const std::string pod : {"p1", "p2", "p3"}) {
    EXPECT_THAT(wait_arguments(pod), ElementsAre("r-uid", HasSubstr("--deadline="), "--keep-marks=v")) << pod;
  }
  ASSERT_EQ(volumes_.requests.size(), 1U);
  EXPECT_EQ(volumes_.requests[0].volumes.size(), 1U);
}

TEST_F(RestoredDataTest, WhoGoesOnFillsASharedClaimThroughTheSamePod) {
  back_up(claim_yaml("shared") + pod_yaml("p1", "shared") + pod_yaml("p2", "shared") + pod_yaml("p3", "shared"));
  run_.resumed = {.again = true,
                  .begun_pods = {{"pods", "a", "p2"}},
                  .full_claims = {},
                  .carriers = {{{"persistentvolumeclaims", "a", "shared"}, "p2"}}};
  // The pod through which it was being filled is gone: nobody else writes into a volume that is half full.
  const RestoreOutcome gone = restore();
  EXPECT_THAT(volumes_.requests, IsEmpty());
  EXPECT_EQ(gone.phase, "PartiallyFailed");
  EXPECT_TRUE(target_.peek(kube::types::pods(), "a", "p2").is_null());
  run_.resumed.begun_pods.clear();
  EXPECT_EQ(restore().phase, "Completed");
  ASSERT_EQ(volumes_.requests.size(), 1U);
  EXPECT_EQ(volumes_.requests[0].pod, "p2");
}

TEST_F(RestoredDataTest, AnotherPodBringsBackWhatItsOwnDoesNot) {
  back_up(claim_yaml("shared") + pod_yaml("p1", "shared") + pod_yaml("p2", "shared", "Running", "labels: {x: y}"));
  ASSERT_EQ(saved_.requests[0].pod, "p1");
  run_.restore.spec.label_selector = velero::LabelSelector{{{"x", "y"}}, {}, {}};
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "Completed");
  ASSERT_EQ(volumes_.requests.size(), 1U);
  EXPECT_EQ(volumes_.requests[0].pod, "p2");
  EXPECT_EQ(volumes_.requests[0].volumes[0].snapshot_id, "5ea1ed");
}

TEST_F(RestoredDataTest, AClaimWithoutAPodThatBringsItBackIsAnError) {
  back_up(claim_yaml("books") + pod_yaml("p", "books"));
  run_.restore.spec.included_resources = {"persistentvolumeclaims"};
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_THAT(errors(outcome), ElementsAre("claim books is empty: no pod was restored through which its data comes "
                                           "back"));
}

constexpr const char* kConfig = R"(
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: d, namespace: a},
 spec: {replicas: 2, template: {spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: books}}]}}}}
---
)";
const std::string kConfigPod =
    "labels: {deploymentconfig: d}, annotations: {backup.velero.io/backup-volumes: v, "
    "openshift.io/deployment-config.name: d}";

TEST_F(RestoredDataTest, AConfigDoesNotStartOnAVolumeThatDidNotComeBack) {
  back_up(claim_yaml("books") + kConfig + pod_yaml("d-1-x", "books", "Running", kConfigPod));
  volumes_.errors = {"restore of volume v failed: no such snapshot"};
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_EQ(replicas(), 0);
  EXPECT_TRUE(target_.peek(kube::types::pods(), "a", "d-1-x").is_object());
  EXPECT_THAT(errors(outcome), UnorderedElementsAre(HasSubstr("volumes of pod d-1-x: restore of volume v failed"),
                                                    HasSubstr("DeploymentConfig a/d stays at zero replicas")));
}

TEST_F(RestoredDataTest, NorOnOneThatWasNotSaved) {
  saved_.failing = {"v"};
  back_up(claim_yaml("books") + kConfig + pod_yaml("d-1-x", "books", "Running", kConfigPod));
  EXPECT_EQ(restore().phase, "PartiallyFailed");
  EXPECT_EQ(replicas(), 0);
  EXPECT_TRUE(target_.peek(kube::types::pods(), "a", "d-1-x").is_object());
}

TEST_F(RestoredDataTest, NorOnOneThatItsMoverDidNotFill) {
  const std::string wish = "namespace: a, annotations: {holdfast.dev/backup-volume: 'true'}";
  back_up(replaced(claim_yaml("books"), "namespace: a", wish) + kConfig);
  ASSERT_EQ(backup_phase_, "Completed");
  volumes_.errors = {"the mover pod did not run"};
  const RestoreOutcome outcome = restore();
  EXPECT_EQ(outcome.phase, "PartiallyFailed");
  EXPECT_EQ(volumes_.claims.size(), 1U);
  EXPECT_EQ(replicas(), 0);
  EXPECT_THAT(errors(outcome), UnorderedElementsAre(HasSubstr("claim books: the mover pod did not run"),
                                                    HasSubstr("DeploymentConfig a/d stays at zero replicas")));
}

TEST_F(RestoredDataTest, AConfigStartsOnOneThatItsMoverHasFilled) {
  const std::string wish = "namespace: a, annotations: {holdfast.dev/backup-volume: 'true'}";
  back_up(replaced(claim_yaml("books"), "namespace: a", wish) + kConfig);
  EXPECT_EQ(restore().phase, "Completed");
  EXPECT_EQ(volumes_.claims.size(), 1U);
  EXPECT_GT(replicas(), 0);
}

TEST_F(RestoredDataTest, NorWhereThePodThatWouldBringItBackCannotBeMade) {
  back_up(claim_yaml("books") + kConfig + pod_yaml("d-1-x", "books", "Running", kConfigPod));
  kube::FakeApi::Fault fault;
  fault.verb = "create";
  fault.resource = "pods";
  fault.error = Error(ErrorCode::denied, "a quota");
  target_.inject(fault);
  EXPECT_EQ(restore().phase, "PartiallyFailed");
  EXPECT_EQ(replicas(), 0);
}

}  // namespace
}  // namespace holdfast::backup
