// Claims that no pod mounts: which of them are saved by a mover, and when they come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/collect.h"
#include "backup/fake_volumes.h"
#include "backup/run_backup.h"
#include "backup/run_restore.h"
#include "velero/gzip.h"
#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::backup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class UnmountedClaims : public testing::Test {
 protected:
  void SetUp() override { api_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: web}}"); }
  void add_claim(const std::string& name, const std::string& annotations = "{}", const std::string& more = "") {
    api_.seed_yaml("{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-" + name +
                   "}, spec: {local: {path: /disk}, persistentVolumeReclaimPolicy: Delete}}");
    api_.seed_yaml("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: " + name +
                   ", namespace: web, annotations: " + annotations + "}, spec: {volumeName: pv-" + name + more + "}}");
  }
  void add_pod(const std::string& name, const std::string& claim, const std::string& phase,
               const std::string& labels = "{}") {
    api_.seed_yaml("{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: web, labels: " + labels +
                   "}, spec: {nodeName: n1, containers: [{name: c, volumeMounts: [{name: v}]}], volumes: [{name: v, "
                   "persistentVolumeClaim: {claimName: " +
                   claim + "}}]}, status: {phase: " + phase + "}}");
  }
  /// The claims that movers were asked for, by name.
  std::vector<std::string> saved(bool by_default, const std::string& policy = "") {
    const json::value object = json::object{
        {"kind", "Backup"},
        {"metadata", json::object{{"name", "b"}}},
        {"spec", json::object{{"includedNamespaces", json::array{"web"}}, {"defaultVolumesToFsBackup", by_default}}}};
    backup_ = velero::decode<velero::Backup>(object).value();
    FakeVolumeBackups volumes;
    BackupRun run{.layout = velero::Layout::at("").value(),
                  .collect = {},
                  .site = {},
                  .attempt = {},
                  .spill_directory = testing::TempDir(),
                  .log = {}};
    run.collect.backup = backup_;
    if (!policy.empty()) run.collect.policy = velero::ResourcePolicy::parse(policy).value();
    store_ = std::make_shared<objstore::MemStore>();
    const Result<BackupOutcome> outcome = run_backup(api_, *store_, run, &volumes);
    EXPECT_TRUE(outcome.ok()) << outcome.error().to_string();
    phase_ = outcome.ok() ? outcome->phase : "";
    std::vector<std::string> out;
    for (const PodVolumeRequest& request : volumes.requests) {
      if (request.by_mover) out.push_back(request.pvc);
    }
    return out;
  }
  std::string file(const std::string& name) {
    return velero::gunzip(store_->get("backups/b/b-" + name + ".gz").value()).value();
  }

  kube::FakeApi api_;
  velero::Backup backup_;
  std::string phase_;
  std::shared_ptr<objstore::Store> store_;
};

TEST_F(UnmountedClaims, TheClaimsWishCountsThenTheDefault) {
  add_claim("plain");
  add_claim("wanted", "{holdfast.dev/backup-volume: 'true'}");
  add_claim("unwanted", "{holdfast.dev/backup-volume: 'false'}");
  EXPECT_THAT(saved(true), ElementsAre("plain", "wanted"));
  EXPECT_THAT(saved(false), ElementsAre("wanted"));
  const std::string infos = file("volumeinfo.json");
  EXPECT_THAT(infos, HasSubstr("\"pvcName\":\"wanted\""));
  EXPECT_THAT(infos, HasSubstr("no pod of this backup asks for its data"));
}

TEST_F(UnmountedClaims, PoliciesDecideWhereTheClaimDoesNot) {
  add_claim("plain", "{}", ", storageClassName: fast");
  add_claim("wanted", "{holdfast.dev/backup-volume: 'true'}", ", storageClassName: fast");
  const auto policy = [](const std::string& action) {
    return "version: v1\nvolumePolicies:\n- conditions: {volumeTypes: [local]}\n  action: {type: " + action + "}\n";
  };
  EXPECT_THAT(saved(true, policy("skip")), ElementsAre("wanted"));
  EXPECT_EQ(phase_, "Completed");
  EXPECT_THAT(saved(false, policy("fs-backup")), ElementsAre("plain", "wanted"));
}

TEST_F(UnmountedClaims, WhatAPodThatHasEndedAskedForIsSaved) {
  add_claim("result");
  add_pod("job", "result", "Succeeded", "{}, annotations: {backup.velero.io/backup-volumes: v}");
  EXPECT_THAT(saved(false), ElementsAre("result"));
  EXPECT_EQ(phase_, "Completed");
}

TEST_F(UnmountedClaims, OnesThatAreMountedUnboundOrWithoutFilesAreNot) {
  add_claim("mounted");
  add_pod("app", "mounted", "Running");
  add_claim("ended");
  add_pod("job", "ended", "Succeeded");
  add_claim("block", "{}", ", volumeMode: Block");
  api_.seed_yaml("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: unbound, namespace: web}}");
  api_.seed_yaml("{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-h}, spec: {hostPath: {path: /h}}}");
  api_.seed_yaml(
      "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: host, namespace: web}, spec: {volumeName: "
      "pv-h}}");
  EXPECT_THAT(saved(true), ElementsAre("ended"));
}

TEST_F(UnmountedClaims, OneThatAPodOutsideTheBackupUsesIsLeftAloneAndNamed) {
  add_claim("busy");
  add_pod("outside", "busy", "Running", "{velero.io/exclude-from-backup: 'true'}");
  EXPECT_TRUE(saved(true).empty());
  EXPECT_THAT(file("results"), HasSubstr("claim busy is not saved: pod outside uses it"));
  EXPECT_THAT(file("volumeinfo.json"), HasSubstr("pod outside uses it"));
  EXPECT_THAT(file("volumeinfo.json"), HasSubstr("\"result\":\"failed\"")) << "a restore must know";
  EXPECT_EQ(phase_, "PartiallyFailed");
}

TEST_F(UnmountedClaims, APodThatDoesNotRunYetIsInTheWayToo) {
  add_claim("soon");
  add_pod("app", "soon", "Pending");
  EXPECT_TRUE(saved(true).empty());
}

TEST_F(UnmountedClaims, TheyComeBackBeforeAnythingThatCouldUseThem) {
  add_claim("archive");
  api_.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: later, namespace: web}}");
  ASSERT_THAT(saved(true), ElementsAre("archive"));
  kube::FakeApi target;
  FakeVolumeRestores volumes;
  bool claim_was_there = false;
  bool others_were_there = true;
  volumes.on_claim = [&](const PodVolumeRestoreRequest& request) {
    EXPECT_EQ(request.pod_namespace, "web2");
    claim_was_there = !target.peek(kube::types::persistent_volume_claims(), "web2", "archive").is_null();
    others_were_there = !target.peek(kube::types::config_maps(), "web2", "later").is_null();
  };
  const auto restore = [&](const std::string& name, const ResumedRestore& resumed = {}) {
    const json::value object =
        json::object{{"kind", "Restore"},
                     {"metadata", json::object{{"name", name}, {"uid", name + "-uid"}}},
                     {"spec", json::object{{"backupName", "b"}, {"namespaceMapping", json::object{{"web", "web2"}}}}}};
    const velero::Restore decoded = velero::decode<velero::Restore>(object).value();
    RestoreRun run{.layout = velero::Layout::at("").value(),
                   .restore = decoded,
                   .plugins = {},
                   .restore_wait = {},
                   .priorities = {},
                   .tarball = {},
                   .on_progress = {},
                   .log = {}};
    run.resumed = resumed;
    const Result<RestoreOutcome> outcome = run_restore(target, *store_, run, &volumes);
    EXPECT_TRUE(outcome.ok()) << outcome.error().to_string();
    return outcome.ok() ? outcome->phase : "";
  };
  EXPECT_EQ(restore("r"), "Completed");
  ASSERT_EQ(volumes.claims.size(), 1U);
  EXPECT_EQ(volumes.claims[0].volumes[0].snapshot_id, "5ea1ed");
  EXPECT_TRUE(claim_was_there);
  EXPECT_FALSE(others_were_there);
  EXPECT_FALSE(target.peek(kube::types::config_maps(), "web2", "later").is_null());
  // Again: the claim is there, and its files may be newer.
  EXPECT_EQ(restore("again"), "Completed");
  EXPECT_EQ(volumes.claims.size(), 1U);
  // Gone on with: what an earlier life of the same restore made is filled, and what it filled is not filled again.
  volumes.on_claim = nullptr;
  ResumedRestore resumed;
  resumed.again = true;
  EXPECT_EQ(restore("r", resumed), "Completed");
  EXPECT_EQ(volumes.claims.size(), 2U);
  resumed.full_claims.insert({"persistentvolumeclaims", "web2", "archive"});
  EXPECT_EQ(restore("r", resumed), "Completed");
  EXPECT_EQ(volumes.claims.size(), 2U);
  EXPECT_EQ(restore("again", resumed), "Completed");
  EXPECT_EQ(volumes.claims.size(), 2U) << "made by another restore";
}

TEST_F(UnmountedClaims, AFailureIsAnErrorThatNamesTheClaim) {
  add_claim("archive");
  ASSERT_THAT(saved(true), ElementsAre("archive"));
  kube::FakeApi target;
  FakeVolumeRestores volumes;
  volumes.errors = {"the mover pod did not run"};
  const json::value object = json::object{{"kind", "Restore"},
                                          {"metadata", json::object{{"name", "r"}, {"uid", "r-uid"}}},
                                          {"spec", json::object{{"backupName", "b"}}}};
  const velero::Restore decoded = velero::decode<velero::Restore>(object).value();
  RestoreRun run{.layout = velero::Layout::at("").value(),
                 .restore = decoded,
                 .plugins = {},
                 .restore_wait = {},
                 .priorities = {},
                 .tarball = {},
                 .on_progress = {},
                 .log = {}};
  const Result<RestoreOutcome> outcome = run_restore(target, *store_, run, &volumes);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->phase, "PartiallyFailed");
  ASSERT_EQ(outcome->results.errors.namespaces.count("web"), 1U);
  EXPECT_THAT(outcome->results.errors.namespaces.at("web").front(),
              HasSubstr("claim archive: the mover pod did not run"));
}

}  // namespace
}  // namespace holdfast::backup
