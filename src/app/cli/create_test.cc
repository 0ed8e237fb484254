// The create verbs: what they would send, held against the real velero; what they refuse; how they wait.
#include <gmock/gmock.h>

#include "app/cli/stage.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

TEST(Create, BackupObjectsAreVeleros) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backupstoragelocations.yaml");
  EXPECT_EQ(stage.run({"backup",
                       "create",
                       "x1",
                       "--include-namespaces",
                       "a,b",
                       "--exclude-resources",
                       "secrets",
                       "--selector",
                       "app=web,tier in (a,b)",
                       "--labels",
                       "x=y",
                       "--ttl",
                       "48h",
                       "--snapshot-volumes=false",
                       "--default-volumes-to-fs-backup",
                       "--storage-location",
                       "default",
                       "--ordered-resources",
                       "pods=a/p1,a/p2;persistentvolumeclaims=a/c",
                       "-o",
                       "yaml"}),
            0)
      << stage.err();
  EXPECT_EQ(stage.out(), fixture("1.14/cli/backup-create-o-yaml.txt"));
  EXPECT_EQ(stage.run({"create", "backup", "x2", "--or-selector", "a=b or c=d", "--include-cluster-resources",
                       "--csi-snapshot-timeout", "5m", "--item-operation-timeout", "1h", "--snapshot-move-data",
                       "--data-mover", "dm", "--parallel-files-upload", "3", "--resource-policies-configmap", "pol",
                       "-o", "json"}),
            0)
      << stage.err();
  // The order of members inside resourcePolicy is ours.
  EXPECT_EQ(json::parse(stage.out()).value(),
            json::parse(fixture("1.14/cli/backup-create-or-selector-o-json.txt")).value());
  EXPECT_EQ(stage.api().count("create"), 0u);
}

TEST(Create, ScheduleObjectsAreVeleros) {
  Stage stage;
  EXPECT_EQ(
      stage.run({"schedule", "create", "x4", "--schedule", "0 */1 * * *", "--include-namespaces", "web-app1,web-app2",
                 "--ttl", "720h", "--paused", "--use-owner-references-in-backup", "-o", "yaml"}),
      0)
      << stage.err();
  EXPECT_EQ(stage.out(), fixture("1.18/cli/schedule-create-o-yaml.txt"));
  EXPECT_EQ(stage.run({"schedule", "create", "s1", "--schedule", "@every 5s"}), 0);
  EXPECT_EQ(stage.out(), fixture("1.14/cli/s1-create-wait.txt"));
  EXPECT_EQ(stage.run({"schedule", "create", "bad", "--schedule", "every day"}), 1);
  EXPECT_THAT(stage.err(), HasSubstr("invalid schedule"));
  EXPECT_EQ(stage.run({"schedule", "create", "bad"}), 1);
  EXPECT_EQ(stage.api().count("create"), 1u);
}

TEST(Create, LocationObjectsAreVeleros) {
  Stage stage;
  EXPECT_EQ(stage.run({"backup-location",
                       "create",
                       "x5",
                       "--provider",
                       "aws",
                       "--bucket",
                       "bk",
                       "--prefix",
                       "p/q",
                       "--access-mode",
                       "ReadOnly",
                       "--backup-sync-period",
                       "2m",
                       "--validation-frequency",
                       "5m",
                       "--config",
                       "region=us-east-1,s3ForcePathStyle=true",
                       "--credential",
                       "s3=cloud",
                       "--labels",
                       "a=b",
                       "-o",
                       "yaml"}),
            0)
      << stage.err();
  EXPECT_EQ(stage.out(), fixture("1.14/cli/backup-location-create-o-yaml.txt"));
  EXPECT_EQ(stage.run({"backup-location", "create", "x5", "--provider", "aws"}), 1);
}

TEST(Create, RestoreObjectsAreVeleros) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backups.yaml");
  EXPECT_EQ(stage.run({"restore",
                       "create",
                       "x3",
                       "--from-backup",
                       "b2",
                       "--include-namespaces",
                       "web-app1",
                       "--namespace-mappings",
                       "a:b,c:d",
                       "--existing-resource-policy",
                       "update",
                       "--restore-volumes=false",
                       "--preserve-nodeports",
                       "--status-include-resources",
                       "widgets",
                       "--write-sparse-files",
                       "--parallel-files-download",
                       "4",
                       "-o",
                       "yaml"}),
            0)
      << stage.err();
  EXPECT_EQ(stage.out(), fixture("1.14/cli/restore-create-o-yaml.txt"));
  EXPECT_EQ(stage.run({"restore", "create", "--from-schedule", "s1", "-o", "yaml"}), 1);
  EXPECT_EQ(stage.err(), fixture("1.14/cli/restore-create-from-schedule-o-yaml.txt"));
}

TEST(Create, RefusalsAreVeleros) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backups.yaml");
  stage.load("1.14/crs/cluster1-backupstoragelocations.yaml");
  EXPECT_EQ(stage.run({"backup", "create", "b1"}), 1);
  EXPECT_EQ(stage.err(), fixture("1.14/cli/backup-create-existing.txt"));
  EXPECT_EQ(stage.run({"backup", "create", "b9", "--storage-location", "nosuch"}), 1);
  EXPECT_EQ(stage.err(), fixture("1.14/cli/backup-create-unknown-bsl.txt"));
  EXPECT_EQ(stage.run({"backup", "create"}), 1);
  EXPECT_EQ(stage.run({"backup", "create", "Not_A_Name"}), 1);
  EXPECT_EQ(stage.run({"restore", "create", "r"}), 1);
  EXPECT_EQ(stage.run({"restore", "create", "r", "--from-backup", "nosuch"}), 1);
  EXPECT_EQ(stage.err(), "An error occurred: backups.velero.io \"nosuch\" not found\n");
}

/// The controller's work: after so many looks of the client the object is in a final phase.
void finish_after(Stage& stage, const std::string& plural, const std::string& name, int looks, const std::string& phase,
                  const std::vector<std::string>& faults = {}) {
  stage.api().inject({.verb = "get",
                      .resource = plural + ".velero.io",
                      .name = name,
                      .nth = looks,
                      .meanwhile = [&stage, plural, name, phase, faults] {
                        json::value object = stage.api().peek(kube::types::velero(plural), "velero", name);
                        json::set(object.as_object(), {"status", "phase"}, phase);
                        if (!faults.empty())
                          json::set(object.as_object(), {"status", "validationErrors"}, json::from_strings(faults));
                        stage.put(object);
                      }});
}

TEST(Create, WaitsWithADotASecond) {
  Stage stage;
  const Time before = stage.clock().now();
  finish_after(stage, "backups", "b1", 15, "Completed");
  EXPECT_EQ(stage.run({"backup", "create", "b1", "--wait"}), 0) << stage.err();
  EXPECT_EQ(stage.out(), as_holdfast(fixture("1.14/cli/b1-create-wait.txt")));
  EXPECT_EQ(stage.clock().now() - before, std::chrono::seconds(14));
}

TEST(Create, RestoresWaitForABackupThatIsNotSyncedYet) {
  Stage stage;
  finish_after(stage, "restores", "r1", 15, "Completed");
  EXPECT_EQ(stage.run({"restore", "create", "r1", "--from-backup", "b2", "--wait"}), 0) << stage.err();
  EXPECT_EQ(stage.out(), as_holdfast(fixture("1.14/cli/r1-create-wait.txt")));
  EXPECT_THAT(stage.err(), HasSubstr("the restore waits for it"));
}

TEST(Create, WaitingOutlastsAServerThatIsAwayForAWhile) {
  Stage stage;
  stage.api().inject({.verb = "get",
                      .resource = "backups.velero.io",
                      .times = 30,
                      .error = Error(ErrorCode::unavailable, "connection refused")});
  finish_after(stage, "backups", "b1", 40, "PartiallyFailed");
  EXPECT_EQ(stage.run({"backup", "create", "b1", "--wait"}), 3) << stage.err();
  EXPECT_THAT(stage.out(), HasSubstr("Backup completed with status: PartiallyFailed."));
  EXPECT_THAT(stage.err(), HasSubstr("backup b1 is PartiallyFailed"));
  stage.api().inject({.verb = "get",
                      .resource = "backups.velero.io",
                      .times = 1000,
                      .error = Error(ErrorCode::unavailable, "connection refused")});
  EXPECT_EQ(stage.run({"backup", "create", "b2", "--wait"}), 1);
  EXPECT_THAT(stage.err(), HasSubstr("connection refused"));
}

TEST(Create, WaitingForWhatFailsEndsWithItsReason) {
  Stage stage;
  finish_after(stage, "backups", "b1", 2, "FailedValidation", {"Namespace \"nosuch\" not found"});
  EXPECT_EQ(stage.run({"backup", "create", "b1", "--wait"}), 1);
  EXPECT_EQ(
      stage.err(),
      "An error occurred: backup b1 is FailedValidation: Namespace \"nosuch\" not found\n"
      "`holdfast backup describe b1 --details` tells more; when the cause is mended, create the backup again under "
      "another name.\n");
}

TEST(Create, BackupsFromASchedule) {
  Stage stage;
  stage.load("1.14/crs/cluster1-schedules.yaml");
  EXPECT_EQ(stage.run({"backup", "create", "--from-schedule", "s1"}), 0) << stage.err();
  const json::value made = stage.api().peek(kube::types::velero("backups"), "velero", "s1-20261121062420");
  ASSERT_TRUE(made.is_object());
  EXPECT_EQ(json::string_at(made, {"metadata", "labels", "velero.io/schedule-name"}), "s1");
  EXPECT_EQ(json::string_at(made, {"spec", "ttl"}), "24h0m0s");
}

TEST(Create, RestoresOfASchedulesNewestBackup) {
  Stage stage;
  for (const auto& [name, phase, start] : {std::tuple("s1-1", "Completed", "2026-11-21T06:00:00Z"),
                                           std::tuple("s1-2", "PartiallyFailed", "2026-11-21T07:00:00Z"),
                                           std::tuple("s1-3", "Failed", "2026-11-21T08:00:00Z")})
    stage.api().seed(json::object{
        {"apiVersion", "velero.io/v1"},
        {"kind", "Backup"},
        {"metadata",
         json::object{
             {"name", name}, {"namespace", "velero"}, {"labels", json::object{{"velero.io/schedule-name", "s1"}}}}},
        {"spec", json::object{}},
        {"status", json::object{{"phase", phase}, {"startTimestamp", start}}}});
  EXPECT_EQ(stage.run({"restore", "create", "a", "--from-schedule", "s1"}), 0) << stage.err();
  const auto spec_of = [&](const std::string& name, const char* member) {
    return json::string_at(stage.api().peek(kube::types::velero("restores"), "velero", name), {"spec", member});
  };
  EXPECT_EQ(spec_of("a", "scheduleName"), "s1");
  EXPECT_EQ(stage.run({"restore", "create", "b", "--from-schedule", "s1", "--allow-partially-failed"}), 0);
  EXPECT_EQ(spec_of("b", "scheduleName"), "s1") << "the server chooses, after it has looked at all locations";
  const json::value b = stage.api().peek(kube::types::velero("restores"), "velero", "b");
  EXPECT_EQ(json::string_at(b, {"metadata", "annotations", "holdfast.dev/allow-partially-failed"}), "true");
  EXPECT_EQ(stage.run({"restore", "create", "c", "--from-schedule", "s1", "--start-without-data", "a/x,a/y"}), 0);
  const json::value c = stage.api().peek(kube::types::velero("restores"), "velero", "c");
  EXPECT_EQ(json::string_at(c, {"metadata", "annotations", "holdfast.dev/start-without-data"}), "a/x,a/y");
}

TEST(Create, OneLocationAtMostIsTheDefault) {
  Stage stage;
  stage.load("1.14/crs/cluster1-backupstoragelocations.yaml");
  EXPECT_EQ(stage.run({"backup-location", "create", "new", "--provider", "aws", "--bucket", "b", "--default"}), 0);
  const auto is_default = [&](const std::string& name) {
    return json::bool_at(stage.api().peek(kube::types::velero("backupstoragelocations"), "velero", name),
                         {"spec", "default"});
  };
  EXPECT_TRUE(is_default("new"));
  EXPECT_FALSE(is_default("default"));
  EXPECT_EQ(stage.run({"backup-location", "set", "default", "--take-over", "east,north"}), 0) << stage.err();
  EXPECT_EQ(json::string_at(stage.api().peek(kube::types::velero("backupstoragelocations"), "velero", "default"),
                            {"metadata", "annotations", "holdfast.dev/take-over"}),
            "east,north");
  EXPECT_EQ(stage.run({"backup-location", "set", "default", "--default"}), 0) << stage.err();
  EXPECT_TRUE(is_default("default"));
  EXPECT_FALSE(is_default("new"));
}

}  // namespace
}  // namespace holdfast::app
