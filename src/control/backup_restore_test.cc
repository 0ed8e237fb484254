// Whole stories: control planes with their watches and their lease on clusters in memory that share one location.
#include <atomic>
#include <thread>

#include "base/text.h"
#include "control/control_plane.h"
#include "control/test_site.h"
#include "velero/gzip.h"
#include "velero/mover_names.h"

namespace holdfast::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

testing::AssertionResult soon(const std::function<bool()>& condition) {
  const BootTime deadline = system_clock().boottime() + 60s;
  while (system_clock().boottime() < deadline) {
    if (condition()) return testing::AssertionSuccess();
    (void)system_clock().sleep({}, 20ms).ok();
  }
  return testing::AssertionFailure() << "did not come true";
}

kube::ResourceType deployment_configs() {
  kube::ResourceType type = kube::types::pods();
  type.group = "apps.openshift.io";
  type.plural = "deploymentconfigs";
  type.kind = "DeploymentConfig";
  type.singular = "deploymentconfig";
  type.short_names = {"dc"};
  return type;
}

/// A cluster whose scheduler, kubelet and node agent are one thread that does at once what is asked.
class Cluster {
 public:
  explicit Cluster(const std::string& location, bool agent = true) : objects(api, "velero") {
    api.add_type(deployment_configs());
    api.seed_yaml("{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: default, namespace: " +
                  std::string("velero}, spec: {default: true, provider: holdfast.dev/directory, config: {path: ") +
                  location + "}, backupSyncPeriod: 200ms, validationFrequency: 1s}}");
    if (agent) {
      api.seed_yaml(
          "{apiVersion: v1, kind: Pod, metadata: {name: node-agent-x, namespace: velero, labels: {name: node-agent}}, "
          "spec: {nodeName: n1}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}");
    }
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (system_clock().sleep(stop, 20ms)) work();
    });
  }
  void seed_application() {
    api.seed_yaml(R"(
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {colour: blue}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: web, annotations: {backup.velero.io/backup-volumes: v}}, spec: {nodeName: n1, containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]}, status: {phase: Running}}
---
{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: d, namespace: dc}, spec: {replicas: 2, selector: {app: d}}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: d-1, namespace: dc, ownerReferences: [{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, name: d, uid: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d-1-x, namespace: dc, labels: {app: d, deploymentconfig: d, deployment: d-1}, annotations: {backup.velero.io/backup-volumes: v, openshift.io/deployment-config.name: d}, ownerReferences: [{apiVersion: v1, kind: ReplicationController, name: d-1, uid: y}]}, spec: {nodeName: n1, containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]}, status: {phase: Running}}
)");
  }
  void make(const std::string& kind, const std::string& name, const std::string& spec) {
    api.seed_yaml("{apiVersion: velero.io/v1, kind: " + kind + ", metadata: {name: " + name +
                  ", namespace: velero}, spec: " + spec + "}");
  }
  template <typename T>
  std::string phase(const std::string& name) {
    return json::string_at(api.peek(kube::types::velero(kPlural<T>), "velero", name), {"status", "phase"});
  }
  /// The object after it has ended.
  template <typename T>
  T ended(const std::string& name) {
    EXPECT_TRUE(soon([&] { return velero::is_final(phase<T>(name)); })) << name << ": " << phase<T>(name);
    return objects.get<T>(name).value();
  }

  kube::FakeApi api;
  VeleroObjects objects;
  std::atomic<bool> agent_hangs = false;
  /// Every mover pod there has been.
  std::vector<json::value> movers() {
    std::lock_guard lock(mutex_);
    return movers_;
  }

 private:
  void work() {
    for (const char* plural : {"podvolumebackups", "podvolumerestores"}) {
      for (const json::value& one : api.peek_all(kube::types::velero(plural), "velero")) {
        if (agent_hangs || !json::string_at(one, {"status", "phase"}).empty()) continue;
        patch(kube::types::velero(plural), one,
              R"({"status":{"phase":"Completed","snapshotID":"5ea1ed","progress":{"totalBytes":7,"bytesDone":7}}})");
      }
    }
    for (const json::value& pod : api.peek_all(kube::types::pods())) {
      if (!json::string_at(pod, {"spec", "nodeName"}).empty()) continue;
      patch(kube::types::pods(), pod, R"({"spec":{"nodeName":"n1"}})");
      if (json::find(pod, {"metadata", "labels", velero::label::kMover}) == nullptr) continue;
      std::lock_guard lock(mutex_);
      movers_.push_back(pod);
    }
    for (const json::value& pod : api.peek_all(kube::types::pods())) {
      if (json::find(pod, {"metadata", "labels", velero::label::kMover}) == nullptr) continue;
      if (json::string_at(pod, {"status", "phase"}) == "Running") continue;
      (void)api
          .patch(kube::types::pods(), json::string_at(pod, {"metadata", "namespace"}),
                 json::string_at(pod, {"metadata", "name"}), kube::PatchKind::merge,
                 *json::parse(R"({"status":{"phase":"Running"}})"), {.subresource = "status"})
          .ok();
    }
  }
  void patch(const kube::ResourceType& type, const json::value& object, const char* text) {
    // It may be gone by now.
    (void)api
        .patch(type, json::string_at(object, {"metadata", "namespace"}), json::string_at(object, {"metadata", "name"}),
               kube::PatchKind::merge, *json::parse(text))
        .ok();
  }
  std::mutex mutex_;
  std::vector<json::value> movers_;
  std::jthread thread_;
};

/// A control plane as a Deployment's pod runs it.
class Plane {
 public:
  Plane(Cluster& cluster, const std::string& identity) {
    options_.version = "v9.9.9";
    options_.site = identity;
    options_.spill_directory = testing::TempDir();
    options_.restore_wait.image = "localhost/holdfast:1";
    options_.restore_sync_wait = 3s;
    leadership_ = {identity, 5s, 4s, 100ms};
    thread_ = std::jthread([this, &cluster](const std::stop_token& stop) {
      result = run_control_plane(cluster.api, system_clock(), log::Logger(lines), metrics, options_, leadership_, stop);
    });
  }
  /// As SIGTERM does; returns when it has ended.
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  /// Waits for an end of its own.
  void join() { thread_.join(); }
  metrics::Registry metrics;
  std::shared_ptr<log::MemorySink> lines = std::make_shared<log::MemorySink>();
  Status result;

 private:
  ControlOptions options_;
  LeadershipOptions leadership_;
  std::jthread thread_;
};

std::string results_of(const TestDirectory& directory, const std::string& backup) {
  const auto packed = read_file(directory.path() + "/backups/" + backup + "/" + backup + "-results.gz");
  EXPECT_TRUE(packed.ok());
  return packed.ok() ? velero::gunzip(*packed).value() : "";
}

TEST(BackupAndRestore, AWholeStoryOverTwoSites) {
  TestDirectory directory;
  Cluster east(directory.path());
  east.seed_application();
  {
    Plane plane(east, "east");
    east.make("Schedule", "s", "{schedule: '@every 2s', template: {includedNamespaces: [web, dc]}}");
    ASSERT_TRUE(soon([&] { return !east.objects.list<velero::Backup>()->empty(); }));
    const std::string name = east.objects.list<velero::Backup>()->front().metadata.name;
    const auto backup = east.ended<velero::Backup>(name);
    EXPECT_EQ(backup.status.phase, "Completed") << backup.status.failure_reason << results_of(directory, name);
    EXPECT_EQ(backup.spec.storage_location, "default");
    EXPECT_EQ(backup.spec.snapshot_move_data, false);
    EXPECT_EQ(backup.metadata.annotation(velero::annotation::kSite), "east");
    EXPECT_TRUE(directory.has("backups/" + name + "/velero-backup.json"));
    EXPECT_TRUE(directory.has("backups/" + name + "/" + name + ".tar.gz"));
    const auto volumes = east.objects.list<velero::PodVolumeBackup>("velero.io/backup-name=" + name);
    ASSERT_EQ(volumes->size(), 2U);
    EXPECT_EQ(volumes->front().spec.node, "n1");
    EXPECT_EQ(volumes->front().spec.uploader_type, "restic");
    EXPECT_THAT(plane.metrics.render(), HasSubstr("velero_backup_success_total{schedule=\"s\"}"));
    plane.stop();
    EXPECT_TRUE(plane.result.ok() || plane.result.is(ErrorCode::cancelled)) << plane.result.error().to_string();
  }
  Cluster west(directory.path());
  west.api.seed_yaml(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: rules, namespace: velero}, data: {r.yaml: \"version: v1\\n"
      "resourceModifierRules:\\n- conditions:\\n    groupResource: configmaps\\n    namespaces: [web]\\n  patches:\\n"
      "  - operation: replace\\n    path: /data/colour\\n    value: red\\n\"}}");
  Plane plane(west, "west");
  // Nothing has been synced yet: the Restore waits for it.
  west.make("Restore", "r", "{scheduleName: s, resourceModifier: {kind: ConfigMap, name: rules}}");
  const auto restore = west.ended<velero::Restore>("r");
  EXPECT_EQ(restore.status.phase, "Completed") << restore.status.failure_reason << plane.lines->text();
  EXPECT_TRUE(restore.spec.backup_name.starts_with("s-20")) << restore.spec.backup_name;
  EXPECT_THAT(restore.metadata.finalizers, ElementsAre(std::string(velero::finalizer::kRestoreExternalResources)));
  EXPECT_EQ(json::string_at(west.api.peek(kube::types::config_maps(), "web", "c"), {"data", "colour"}), "red");
  EXPECT_TRUE(west.api.peek(kube::types::pods(), "web", "p").is_object());
  const auto volumes = west.objects.list<velero::PodVolumeRestore>();
  ASSERT_EQ(volumes->size(), 2U);
  EXPECT_EQ(volumes->front().spec.snapshot_id, "5ea1ed");
  EXPECT_EQ(volumes->front().status.phase, "Completed");
  // The step after a restore of DeploymentConfigs is done.
  EXPECT_EQ(json::int_at(west.api.peek(deployment_configs(), "dc", "d"), {"spec", "replicas"}), 2);
  EXPECT_TRUE(west.api.peek(kube::types::pods(), "dc", "d-1-x").is_null());
  EXPECT_TRUE(directory.has("restores/r/restore-r-results.gz"));
  const auto packed = read_file(directory.path() + "/restores/r/restore-r-logs.gz");
  ASSERT_TRUE(packed.ok());
  for (const std::string& line : split(velero::gunzip(*packed).value(), '\n')) {
    EXPECT_EQ(line.find(" restore=r"), line.rfind(" restore=r")) << line;
  }
  // Deleting the Restore takes its files along.
  ASSERT_TRUE(west.objects.remove<velero::Restore>("r").ok());
  EXPECT_TRUE(soon([&] { return west.phase<velero::Restore>("r").empty(); }));
  EXPECT_FALSE(directory.has("restores/r/restore-r-results.gz"));
}

TEST(BackupAndRestore, AClaimThatNoPodMountsIsSavedAndBroughtBackByAMover) {
  TestDirectory directory;
  Cluster east(directory.path());
  east.api.seed_yaml(R"(
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-1}, spec: {local: {path: /disk}, persistentVolumeReclaimPolicy: Delete}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: archive, namespace: web}, spec: {volumeName: pv-1}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}}
)");
  {
    Plane plane(east, "east");
    east.make("Backup", "b", "{includedNamespaces: [web], defaultVolumesToFsBackup: true}");
    const auto backup = east.ended<velero::Backup>("b");
    EXPECT_EQ(backup.status.phase, "Completed") << backup.status.failure_reason << results_of(directory, "b");
  }
  ASSERT_EQ(east.movers().size(), 1U);
  EXPECT_TRUE(east.api.peek_all(kube::types::pods(), "web").empty()) << "the mover stayed";
  const auto saved = east.objects.list<velero::PodVolumeBackup>("velero.io/backup-name=b");
  ASSERT_EQ(saved->size(), 1U);
  EXPECT_EQ(saved->front().metadata.annotation(velero::annotation::kPvcName), "archive");
  EXPECT_EQ(saved->front().metadata.annotation(velero::annotation::kByMover), "true");
  EXPECT_EQ(saved->front().spec.pod.name, json::string_at(east.movers()[0], {"metadata", "name"}));
  EXPECT_FALSE(saved->front().metadata.label(velero::label::kPvcUid).empty());

  Cluster west(directory.path());
  {
    Plane plane(west, "west");
    west.make("Restore", "r", "{backupName: b, namespaceMapping: {web: web2}}");
    const auto restore = west.ended<velero::Restore>("r");
    EXPECT_EQ(restore.status.phase, "Completed") << restore.status.failure_reason << plane.lines->text();
  }
  ASSERT_EQ(west.movers().size(), 1U);
  EXPECT_EQ(json::string_at(west.movers()[0], {"metadata", "namespace"}), "web2");
  EXPECT_TRUE(west.api.peek_all(kube::types::pods(), "web2").empty()) << "the mover stayed";
  const auto back = west.objects.list<velero::PodVolumeRestore>();
  ASSERT_EQ(back->size(), 1U);
  EXPECT_EQ(back->front().spec.snapshot_id, "5ea1ed");
  EXPECT_EQ(back->front().spec.source_namespace, "web");
  EXPECT_EQ(back->front().metadata.annotation(velero::annotation::kByMover), "true");
  EXPECT_TRUE(west.api.peek(kube::types::config_maps(), "web2", "c").is_object());
  {
    // A claim that is there keeps its files.
    Plane plane(west, "west");
    west.make("Restore", "again", "{backupName: b, namespaceMapping: {web: web2}}");
    EXPECT_EQ(west.ended<velero::Restore>("again").status.phase, "Completed");
  }
  EXPECT_EQ(west.movers().size(), 1U);
}

TEST(BackupAndRestore, WithoutANodeAgentItEndsSoonAndSaysWhere) {
  TestDirectory directory;
  Cluster cluster(directory.path(), false);
  cluster.seed_application();
  Plane plane(cluster, "one");
  cluster.make("Backup", "b", "{includedNamespaces: [web]}");
  const auto backup = cluster.ended<velero::Backup>("b");
  EXPECT_EQ(backup.status.phase, "PartiallyFailed");
  EXPECT_THAT(results_of(directory, "b"), HasSubstr("volume v of pod web/p: no node agent runs on node n1"));
}

TEST(BackupAndRestore, TheNextLeaderMarksWhatTheLastOneLeft) {
  TestDirectory directory;
  Cluster cluster(directory.path());
  cluster.seed_application();
  cluster.agent_hangs = true;
  Plane first(cluster, "first");
  cluster.make("Backup", "b", "{includedNamespaces: [web]}");
  ASSERT_TRUE(soon([&] { return cluster.objects.list<velero::PodVolumeBackup>()->size() == 1; }));
  EXPECT_EQ(cluster.phase<velero::Backup>("b"), "InProgress");
  Plane second(cluster, "second");
  first.stop();
  const auto backup = cluster.ended<velero::Backup>("b");
  EXPECT_EQ(backup.status.phase, "Failed");
  EXPECT_THAT(backup.status.failure_reason, HasSubstr("controller lost"));
  EXPECT_FALSE(directory.has("backups/b/velero-backup.json"));
  // The new leader works.
  cluster.agent_hangs = false;
  cluster.make("Backup", "b2", "{includedNamespaces: [web]}");
  EXPECT_EQ(cluster.ended<velero::Backup>("b2").status.phase, "Completed");
}

TEST(BackupAndRestore, ABackupWhoseLastFileWasPutIsTakenAsItIs) {
  TestDirectory directory;
  Cluster cluster(directory.path());
  cluster.seed_application();
  {
    Plane plane(cluster, "first");
    cluster.make("Backup", "b", "{includedNamespaces: [web]}");
    ASSERT_EQ(cluster.ended<velero::Backup>("b").status.phase, "Completed");
  }
  // Killed after the put of the metadata, before the status of the object.
  const auto back = *json::parse(R"({"status":{"phase":"InProgress","completionTimestamp":null,"progress":null}})");
  ASSERT_TRUE(cluster.api.patch(kube::types::velero("backups"), "velero", "b", kube::PatchKind::merge, back).ok());
  Plane plane(cluster, "second");
  const auto backup = cluster.ended<velero::Backup>("b");
  EXPECT_EQ(backup.status.phase, "Completed") << backup.status.failure_reason;
  EXPECT_TRUE(backup.status.completion_timestamp.has_value());
}

TEST(BackupAndRestore, ATakenNameFailsAndKeepsWhatLiesThere) {
  TestDirectory directory;
  directory.write("backups/b/b-logs.gz", "somebody's");
  Cluster cluster(directory.path());
  cluster.seed_application();
  Plane plane(cluster, "one");
  cluster.make("Backup", "b", "{includedNamespaces: [web]}");
  const auto backup = cluster.ended<velero::Backup>("b");
  EXPECT_EQ(backup.status.phase, "Failed");
  EXPECT_THAT(backup.status.failure_reason, HasSubstr("exists already"));
  EXPECT_EQ(read_file(directory.path() + "/backups/b/b-logs.gz").value(), "somebody's");
  EXPECT_FALSE(directory.has("backups/b/velero-backup.json"));
}

TEST(BackupAndRestore, BadInputIsFailedValidationWithItsReason) {
  TestDirectory directory;
  Cluster cluster(directory.path());
  cluster.make("BackupStorageLocation", "ro",
               "{provider: holdfast.dev/directory, config: {path: " + directory.path() + "}, accessMode: ReadOnly}");
  cluster.api.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: bad, namespace: velero}, data: {a: '{'}}");
  Plane plane(cluster, "one");
  const std::vector<std::array<std::string, 3>> backups = {
      {"x-ns", "{includedNamespaces: [nosuch]}", "Namespace \"nosuch\" not found"},
      {"x-location", "{storageLocation: nosuch}", "BackupStorageLocation.velero.io \"nosuch\" not found"},
      {"x-ro", "{storageLocation: ro}", "backup storage location ro is currently in read-only mode"},
      {"x-policy", "{resourcePolicy: {kind: configmap, name: nosuchcm}}", "ConfigMap \"nosuchcm\" not found"},
  };
  const std::vector<std::array<std::string, 3>> restores = {
      {"y-none", "{}", "Either a backup or schedule must be specified"},
      {"y-both", "{backupName: b, scheduleName: s}", "Either a backup or schedule must be specified"},
      {"y-backup", "{backupName: nosuch}", "Backup.velero.io \"nosuch\" not found"},
      {"y-schedule", "{scheduleName: nosuch}", "No backups found for schedule"},
      {"y-modifier", "{backupName: b, resourceModifier: {kind: ConfigMap, name: nosuchcm}}",
       "failed to get resource modifiers configmap velero/nosuchcm"},
      {"y-rules", "{backupName: b, resourceModifier: {kind: ConfigMap, name: bad}}",
       "Error in parsing resource modifiers provided in configmap velero/bad"},
  };
  for (const auto& [name, spec, text] : backups) cluster.make("Backup", name, spec);
  for (const auto& [name, spec, text] : restores) cluster.make("Restore", name, spec);
  for (const auto& [name, spec, text] : backups) {
    const auto backup = cluster.ended<velero::Backup>(name);
    EXPECT_EQ(backup.status.phase, "FailedValidation") << name;
    EXPECT_THAT(backup.status.validation_errors, testing::Contains(HasSubstr(text))) << name;
  }
  for (const auto& [name, spec, text] : restores) {
    const auto restore = cluster.ended<velero::Restore>(name);
    EXPECT_EQ(restore.status.phase, "FailedValidation") << name;
    EXPECT_THAT(restore.status.validation_errors, testing::Contains(HasSubstr(text))) << name;
  }
}

TEST(BackupAndRestore, NotBesideARunningVelero) {
  TestDirectory directory;
  Cluster cluster(directory.path());
  cluster.api.seed_yaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: velero-1, namespace: velero}, spec: {nodeName: n1, containers: "
      "[{name: velero, command: [/velero], args: [server]}]}, status: {phase: Running}}");
  Plane plane(cluster, "one");
  plane.join();
  ASSERT_TRUE(plane.result.is(ErrorCode::denied));
  EXPECT_THAT(plane.result.error().message(), HasSubstr("pod velero-1"));
}

}  // namespace
}  // namespace holdfast::control
